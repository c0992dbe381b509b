// Teaching the page one's own classes: folders in, a run that learns and stops, the new model in use.

import { expect, test } from '@playwright/test';
import { readFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { watch } from './pages/app.mjs';
import { Lab } from './pages/lab.mjs';
import { folder, stripes } from './pages/pictures.mjs';

const KINDS = ['flat', 'upright'];

function files(kind, count, first = 0) {
  const numbers = Array.from({ length: count }, (_, i) => first + i);
  return Object.fromEntries(numbers.map((i) => [`${i}.png`, stripes(kind, 1 + i + 1000 * KINDS.indexOf(kind))]));
}

const sample = (kind) => ({ name: `${kind}.png`, mimeType: 'image/png', buffer: stripes(kind, 77_000 + KINDS.indexOf(kind)) });

class Panel {
  constructor(page) {
    this.page = page;
    this.start = page.getByTestId('train-start');
    this.stop = page.getByTestId('train-stop');
    this.words = page.getByTestId('train-words');
    this.classes = page.getByTestId('train-classes').getByRole('listitem');
    this.error = page.getByTestId('train-error');
  }

  async open() {
    await this.page.getByTestId('train').locator('summary').first().click();
  }

  async give(path) {
    await this.page.getByTestId('train-input').setInputFiles(path);
  }

  async choose(depth, epochs) {
    await this.page.getByTestId(depth).check();
    const more = this.page.getByTestId('train-more');
    if (!(await more.evaluate((details) => details.open))) await more.locator('summary').click();
    await this.page.getByTestId('train-epochs').fill(String(epochs));
    await this.page.getByTestId('train-epochs').press('Tab');
  }

  async number(id) {
    return Number.parseFloat((await this.page.getByTestId(id).textContent()).replace(/[<>]/, ''));
  }
}

/** How many programs want each processor: a task's duration counts the time it waits for one, too. */
const crowding = () => Math.max(1, loadavg()[0] / availableParallelism());

/** Notes tasks over 50 ms, as the Long Tasks API reports them. */
const noteLongTasks = (page) =>
  page.addInitScript(() => {
    globalThis.longTasks = [];
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) globalThis.longTasks.push({ startTime, duration });
    }).observe({ type: 'longtask' });
  });

test.describe('training', () => {
  let pictures;
  test.beforeAll(async () => {
    pictures = await folder({ flat: { ...files('flat', 16), 'notes.txt': 'no picture' }, upright: files('upright', 16) });
  });
  test.afterAll(() => pictures.remove());

  test('the head learns two classes, and the new model reads pictures and is saved', async ({ page }) => {
    const seen = watch(page);
    const lab = new Lab(page);
    const panel = new Panel(page);
    await lab.open();
    await panel.open();
    await panel.give(pictures.path);
    await expect(panel.classes).toHaveText([/flat 16/, /upright 16/]);
    await expect(page.getByTestId('train-skipped')).toContainText('1 file left out');
    await panel.choose('depth-head', 12);
    await panel.start.click();
    await expect(panel.words).toContainText('Done after 12 epochs');
    await expect(lab.modelName).toHaveText('resnet20-trained');
    await expect(page.getByTestId('origin')).toHaveText('trained here');
    expect(await panel.number('train-loss')).toBeLessThan(0.5);
    expect(await panel.number('val-accuracy')).toBeGreaterThan(70);

    await lab.choose(sample('flat'));
    await expect(page.getByTestId('read-by')).toContainText('resnet20-trained');
    await expect(lab.predictions).toHaveCount(2);
    await expect(lab.best).toContainText('flat');

    const download = page.waitForEvent('download');
    await page.getByTestId('train-save').click();
    const saved = await readFile(await (await download).path());
    expect((await download).suggestedFilename()).toBe('resnet20-trained.safetensors');
    // The file is a model: the page takes it back and knows its classes.
    await lab.openWeights({ name: 'again.safetensors', mimeType: '', buffer: saved });
    await expect(lab.modelName).toHaveText('again.safetensors');
    await lab.choose(sample('upright'));
    await expect(lab.best).toContainText('upright');
    expect(seen.errors).toEqual([]);
  });

  test('the whole network learns, the page stays responsive, and a run stops and goes on', async ({ page }) => {
    await noteLongTasks(page);
    const lab = new Lab(page);
    const panel = new Panel(page);
    await lab.open();
    await panel.open();
    await panel.give(pictures.path);
    await panel.choose('depth-all', 4);
    await panel.start.click();
    await expect(panel.words).toContainText(/Epoch \d of 4/);
    // Now every shader is made.
    await page.evaluate(() => (globalThis.longTasks.length = 0));
    await expect(panel.words).toContainText(/Epoch [2-4] of 4/);
    const first = await panel.number('val-loss');
    // A picture given meanwhile is read between two chunks, by the model that is there.
    await lab.choose(sample('flat'));
    await expect(lab.predictions).toHaveCount(5);
    await panel.stop.click();
    await expect(panel.words).toContainText('Stopped after');
    await expect(lab.modelName).toHaveText('resnet20-trained');
    await page.getByTestId('train-continue').click();
    await expect(panel.words).toContainText('Done after 4 epochs');
    expect(await panel.number('val-loss')).toBeLessThan(first);
    const long = await page.evaluate(() => globalThis.longTasks);
    expect(long.filter(({ duration }) => duration > 100 * crowding())).toEqual([]);
  });

  test('says what is missing', async ({ page }) => {
    const lab = new Lab(page);
    const panel = new Panel(page);
    await lab.open();
    await panel.open();
    const one = await folder({ alone: files('flat', 2) });
    const broken = await folder({ fine: files('flat', 2), broken: { 'a.png': 'not a picture' } });
    try {
      await panel.give(one.path);
      await panel.start.click();
      await expect(panel.error).toContainText('at least two classes');
      await page.getByTestId('train-clear').click();
      await expect(panel.classes).toHaveCount(0);
      await panel.give(broken.path);
      await panel.start.click();
      await expect(panel.error).toContainText('`broken` has no picture that could be read');
      await expect(page.getByTestId('train-skipped')).toContainText('1 file left out');
    } finally {
      await Promise.all([one.remove(), broken.remove()]);
    }
  });
});
