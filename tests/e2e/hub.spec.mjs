// A model of the hub from a mirror with real file layouts: progress, a connection that breaks off, cancel, resume, and the
// second visit. The mirror answers from two other hosts, with a redirect, as the real hub does.

import { test as base, expect } from '@playwright/test';
import { startHub } from './hub.mjs';
import { watch } from './pages/app.mjs';
import { Lab, picture } from './pages/lab.mjs';
import { serve } from './server.mjs';

const MODEL = 'resnet18.tv_in1k';
const MB = 1_000_000;

let hub;
const test = base.extend({
  // The page says where its hub is; a host that keeps a mirror of its own does the same.
  baseURL: async ({}, use) => {
    hub = await startHub();
    const head = `<meta name="reslab-hub" content="${hub.url}">`;
    const page = await serve({ root: new URL('../../dist', import.meta.url).pathname, head });
    await use(page.url);
    await page.close();
    await hub.close();
  },
});

class Picker {
  constructor(page) {
    this.busy = page.getByTestId('busy');
    this.origin = page.getByTestId('origin');
    this.panel = page.getByTestId('model-picker');
    this.row = page.getByTestId('offer').filter({ hasText: MODEL });
    this.cancel = page.getByTestId('cancel-download');
  }

  async open() {
    await this.panel.locator('summary').click();
  }

  async press(name) {
    await this.row.getByRole('button', { name }).click();
  }
}

/** The bytes from which each request for the file began. */
const starts = () => hub.requests.map(({ range }) => Number(/\d+/.exec(range ?? 'bytes=0-')[0]));

test('a model is fetched, classifies, and is on this device at the next visit', async ({ page, baseURL }) => {
  const seen = watch(page);
  await page.addInitScript(() => {
    globalThis.awake = 0;
    const request = async () => ((globalThis.awake += 1), { released: false, release: async () => (globalThis.awake -= 1) });
    Object.defineProperty(navigator, 'wakeLock', { value: { request } });
  });
  const awake = () => page.evaluate(() => globalThis.awake);
  const lab = new Lab(page);
  const picker = new Picker(page);
  await lab.open();
  await picker.open();
  await expect(picker.row).toContainText('46.8 MB');
  await expect(picker.panel).toContainText('BSD-3-Clause');
  expect(seen.hosts(), 'somebody was asked before a model was picked').toEqual([new URL(baseURL).host]);

  hub.faults.holdAfter = 20 * MB;
  await picker.press(/^Download/);
  await expect(picker.busy).toContainText('46.8 MB');
  await expect(picker.busy).toContainText(/: (19|20)\.\d MB of 46\.8 MB/);
  await expect.poll(awake, 'the screen stays on meanwhile').toBe(1);
  hub.release();
  await expect(lab.modelName).toHaveText(MODEL);
  await expect.poll(awake).toBe(0);
  await expect(picker.origin).toHaveText('downloaded');
  await lab.choose(await picture('cat'));
  await expect(lab.predictions).toHaveCount(5);
  expect(starts()).toEqual([0]);

  await hub.close();
  // The choice is kept with it.
  await lab.open();
  await expect(lab.modelName).toHaveText(MODEL);
  await expect(picker.origin).toHaveText('from this device');
  await picker.open();
  await expect(picker.row.getByTestId('kept')).toHaveText('on this device');
  await page.getByTestId('use-bundled').click();
  await expect(picker.origin).toHaveText('ships with the page');
  await lab.open();
  await expect(lab.modelName).toHaveText('resnet20-cifar10');
  await picker.open();
  await picker.press(/^Remove/);
  await expect(picker.row.getByTestId('kept')).toHaveCount(0);
  expect(seen.errors).toEqual([]);
});

test('a connection that breaks off is taken up where it ended', async ({ page }) => {
  const lab = new Lab(page);
  const picker = new Picker(page);
  await lab.open();
  await picker.open();
  hub.faults.cutOnceAfter = 10 * MB;
  await picker.press(/^Download/);
  await expect(lab.modelName).toHaveText(MODEL);
  expect(starts()).toHaveLength(2);
  expect(starts()[0]).toBe(0);
  expect(starts()[1], 'the second request began anew').toBeGreaterThan(4 * MB);
  // A preflight would be refused by the file host.
  expect(hub.requests.map(({ method }) => method)).toEqual(['GET', 'GET']);
  await expect(lab.modelError).toHaveCount(0);
});

test('a cancelled download goes on after the page was closed', async ({ page }) => {
  const lab = new Lab(page);
  const picker = new Picker(page);
  await lab.open();
  await picker.open();
  hub.faults.holdAfter = 20 * MB;
  await picker.press(/^Download/);
  await expect(picker.busy).toContainText(/: (19|20)\.\d MB of 46\.8 MB/);
  await picker.cancel.click();
  await expect(picker.busy).toHaveCount(0);
  await expect(picker.row.getByTestId('kept'), 'half a model counts as one').toHaveCount(0);
  hub.release();

  await lab.open();
  await picker.open();
  await picker.press(/^Download/);
  await expect(lab.modelName).toHaveText(MODEL);
  expect(starts()).toHaveLength(2);
  expect(starts()[1], 'the second request began anew').toBeGreaterThan(16 * MB);
  await expect(picker.origin).toHaveText('downloaded');
});

test('a new version on the hub is fetched from its beginning', async ({ page }) => {
  const lab = new Lab(page);
  const picker = new Picker(page);
  await lab.open();
  await picker.open();
  hub.faults.holdAfter = 20 * MB;
  await picker.press(/^Download/);
  await expect(picker.busy).toContainText(/: (19|20)\.\d MB of 46\.8 MB/);
  await picker.cancel.click();
  hub.release();
  hub.faults.version = 2;
  await picker.press(/^Download/);
  await expect(lab.modelName).toHaveText(MODEL);
  expect(starts()).toHaveLength(3);
  expect(starts()[1]).toBeGreaterThan(16 * MB);
  expect(starts()[2]).toBe(0);
});

test('a hub in trouble is told, and the model in use stays', async ({ page }) => {
  const lab = new Lab(page);
  const picker = new Picker(page);
  await lab.open();
  await picker.open();
  hub.faults.status = 503;
  await picker.press(/^Download/);
  await expect(lab.modelError).toContainText('try again later');
  await expect(lab.modelName).toHaveText('resnet20-cifar10');
});

test('training is offered a stronger network in place, and goes on without it', async ({ page }) => {
  await page.goto('/#teach');
  await page.getByTestId('example-shapes').click();
  await page.getByTestId('step-train').click();
  const offer = page.getByTestId('stronger-base');
  await expect(offer).toContainText('32 × 32');

  hub.faults.status = 503;
  await page.getByTestId('stronger-download').click();
  await expect(page.getByTestId('stronger-error')).toContainText('try again later');
  await expect(offer).toContainText('drop it here');
  await expect(page.getByTestId('train-start'), 'nobody has to take it').toBeEnabled();

  hub.faults.status = 0;
  await page.getByTestId('stronger-download').click();
  await expect(page.getByTestId('train-backbone')).toContainText('resnet18.a1_in1k, pretrained');
  await expect(offer).toHaveCount(0);
});
