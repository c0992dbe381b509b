// The benchmark screen: a small network measured, its figures, the Markdown, stopping, refusing, and the page in between.

import { expect, test } from '@playwright/test';
import axe from 'axe-core';
import { watch } from './pages/app.mjs';

/** Opens the screen and chooses the smallest network, so that the software adapter is done soon. */
async function open(page) {
  await page.goto('/#benchmark');
  await page.getByTestId('bench-arch').selectOption('resnet20');
  await expect(page.getByTestId('bench-size')).toHaveValue('32');
  await page.getByTestId('bench-runs').fill('3');
  await page.getByTestId('bench-runs').blur();
  await expect(page.getByTestId('bench-start')).toBeEnabled();
}

/** A measurement from start to end. That it goes on shows at once; a short one may be over before anyone looks. */
async function measure(page) {
  await page.getByTestId('bench-start').click();
  await expect(page.getByTestId('bench-progress')).toBeHidden();
  await expect(page.getByTestId('bench-error')).toHaveCount(0);
}

test('a network is measured, layer by layer, and its figures can be taken away', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const seen = watch(page);
  await open(page);
  await measure(page);
  await expect(page.getByTestId('bench-name')).toHaveText('resnet20, Forward, batch of 1, 32 × 32 pixels, f32');
  await expect(page.getByTestId('bench-median')).toHaveText(/^[\d.]+ m?s$/);
  for (const figure of ['bench-rate', 'bench-gflops']) {
    expect(Number(await page.getByTestId(figure).textContent())).toBeGreaterThan(0);
  }
  await expect(page.getByTestId('bench-memory')).toContainText('weights');
  await expect(page.getByTestId('spoken')).toContainText('resnet20 is measured');
  // 19 convolutions and a classifier stand in the table, or the sentence that says why there is none.
  const layers = page.getByTestId('bench-layer');
  if ((await layers.count()) > 0) {
    await expect(layers.filter({ hasText: 'Convolution 3 × 3' })).toHaveCount(19);
  } else {
    await expect(page.getByTestId('bench-layers')).toContainText('timestamp');
  }

  await page.getByTestId('bench-work-training').check();
  await measure(page);
  await expect(page.getByTestId('bench-name')).toContainText('Forward and backward');
  await expect(page.getByTestId('bench-memory')).toContainText('gradients');
  const rows = page.getByTestId('bench-results').locator('tbody tr');
  await expect(rows).toHaveCount(2);
  // The one before is shown again.
  await rows.first().getByRole('button').click();
  await expect(page.getByTestId('bench-name')).toContainText('resnet20, Forward, batch');

  await page.getByTestId('bench-copy').click();
  await expect(page.getByTestId('bench-copy')).toHaveText('Copied');
  const text = await page.evaluate(() => navigator.clipboard.readText());
  expect(text).toMatch(/\| resnet20 \| forward \| 1 \| 32 × 32 \| f32 \| [\d.]+ \|/);
  expect(text).toMatch(/\| resnet20 \| training step \| 1 \| 32 × 32 \| f32 \| [\d.]+ \|/);
  expect(text).toContain('Browser: Chrome');
  expect(seen.errors).toEqual([]);
});

test('a measurement stops, and the rest of the page goes on meanwhile', async ({ page }) => {
  await open(page);
  await page.getByTestId('bench-runs').fill('500');
  await page.getByTestId('bench-start').click();
  await expect(page.getByTestId('bench-progress')).toContainText('of 506');
  // Pictures are read between two runs.
  await page.getByTestId('screen-look').click();
  await page.getByTestId('sample').first().click();
  await expect(page.getByTestId('best')).toBeVisible();
  await page.getByTestId('screen-benchmark').click();
  await expect(page.getByTestId('bench-progress')).toBeVisible();
  await page.getByTestId('bench-stop').click();
  await expect(page.getByTestId('bench-progress')).toBeHidden();
  await expect(page.getByTestId('spoken')).toHaveText('Stopped measuring.');
  await expect(page.getByTestId('bench-figures')).toHaveCount(0);
  // Nothing of it is left: the next one is answered.
  await page.getByTestId('bench-runs').fill('1');
  await measure(page);
  await expect(page.getByTestId('bench-figures')).toBeVisible();
});

test('what does not fit is refused with a sentence, and numbers stay within bounds', async ({ page }) => {
  await open(page);
  await page.getByTestId('bench-runs').fill('0');
  await page.getByTestId('bench-runs').blur();
  await expect(page.getByTestId('bench-runs')).toHaveValue('1');
  await page.getByTestId('bench-batch').fill('512');
  await page.getByTestId('bench-size').fill('1024');
  await page.getByTestId('bench-start').click();
  await expect(page.getByTestId('bench-error')).toContainText('smaller batch');
  await expect(page.getByTestId('bench-start')).toBeEnabled();
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing to mend: the benchmark, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await open(page);
    await measure(page);
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document));
    expect(violations.map(({ impact, id, nodes }) => `${impact}: ${id}: ${nodes.map((n) => n.target).join(' | ')}`)).toEqual([]);
  });
}
