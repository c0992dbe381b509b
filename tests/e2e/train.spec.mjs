// Teaching the page one's own classes: a run that learns, rests and goes on, that a closed tab does not lose, and that is judged.

import { expect, test } from '@playwright/test';
import { readFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { watch } from './pages/app.mjs';
import { Lab } from './pages/lab.mjs';
import { folder, stripes } from './pages/pictures.mjs';
import { Studio } from './pages/studio.mjs';

const KINDS = ['flat', 'upright'];

function files(kind, count, first = 0) {
  const numbers = Array.from({ length: count }, (_, i) => first + i);
  return Object.fromEntries(numbers.map((i) => [`${i}.png`, stripes(kind, 1 + i + 1000 * KINDS.indexOf(kind))]));
}

const sample = (kind) => ({ name: `${kind}.png`, mimeType: 'image/png', buffer: stripes(kind, 77_000 + KINDS.indexOf(kind)) });

/** The training and judging steps of a project with two classes of stripes. */
class Course {
  constructor(page) {
    this.page = page;
    this.studio = new Studio(page);
    this.start = page.getByTestId('train-start');
    this.pause = page.getByTestId('train-stop');
    this.words = page.getByTestId('train-words');
    this.error = page.getByTestId('train-error');
  }

  /** A project of these folders, at its training step, with the bundled network loaded. */
  async open(pictures) {
    await new Lab(this.page).open();
    await this.studio.open();
    await this.page.getByTestId('new-project').click();
    await this.page.getByTestId('add-folder-input').setInputFiles(pictures.path);
    await this.studio.class('upright').waitFor();
    await this.studio.saved();
    await expect(this.studio.classes).toHaveCount(2);
    await this.studio.step('train');
  }

  async choose(depth, epochs) {
    await this.page.getByTestId(depth).check();
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
    pictures = await folder({ flat: files('flat', 16), upright: files('upright', 16) });
  });
  test.afterAll(() => pictures.remove());

  test('the head learns, is judged, is there again after a reload, and its mistakes can be moved', async ({ page }) => {
    const seen = watch(page);
    const course = new Course(page);
    await course.open(pictures);
    await expect(page.getByTestId('train-pictures')).toContainText('32 pictures of 2 classes');
    await expect(page.getByTestId('depth-head-takes')).toContainText('about');
    await course.choose('depth-head', 12);
    await course.start.click();
    await expect(course.words).toContainText('Done after 12 epochs');
    expect(await course.number('train-loss')).toBeLessThan(0.5);
    expect(await course.number('val-accuracy')).toBeGreaterThan(70);
    const download = page.waitForEvent('download');
    await page.getByTestId('train-save').click();
    expect((await readFile(await (await download).path())).length).toBeGreaterThan(1_000_000);

    await page.getByTestId('train-judge').click();
    await expect(page.getByTestId('judge-interval')).toContainText('with 95 % confidence');
    await expect(page.getByTestId('matrix').getByRole('columnheader')).toHaveText(['flat', 'upright']);
    // A cell shows its pictures, with the keyboard too.
    await page.getByTestId('cell-0-0').focus();
    await page.keyboard.press('Enter');
    await expect(page.getByTestId('matrix-chosen')).toContainText('predicted as “flat”');
    expect(await page.getByTestId('matrix-pictures').locator('img').count()).toBeGreaterThan(0);
    // The chart says its values, and takes a press for the slider.
    const chart = page.getByTestId('threshold-chart');
    await expect(chart).toHaveAccessibleName(/would answer [\d.]+ % of these pictures/);
    const figure = page.locator('.threshold__chart');
    await expect(figure.locator('.curves__y span')).toHaveText(['100 %', '50.0 %', '0.0 %']);
    await expect(figure.locator('.curves__x span')).toHaveText(['0.0 %', '50.0 %', '100 %']);
    const { width } = await chart.boundingBox();
    await chart.click({ position: { x: width * 0.25, y: 40 } });
    await expect(page.getByTestId('threshold')).toHaveValue(/^2[3-7]$/);
    await page.getByTestId('threshold').fill('90');
    await expect(page.getByTestId('threshold-words')).toContainText(/It would answer [\d.]+ % of these pictures/);
    await course.studio.saved();

    await page.reload();
    await expect(page.getByTestId('judge-accuracy')).toContainText('%');
    await expect(page.getByTestId('threshold')).toHaveValue('90');
    await course.studio.step('train');
    await expect(course.words).toContainText('Done after 12 epochs');
    await page.goto('/#look');
    const lab = new Lab(page);
    await lab.choose(sample('flat'));
    await expect(lab.best).toContainText('flat');
    expect(seen.errors).toEqual([]);
  });

  test('the whole network learns, the page stays responsive, and a run goes on after the tab was closed', async ({ page }) => {
    await noteLongTasks(page);
    const course = new Course(page);
    await course.open(pictures);
    await course.choose('depth-all', 4);
    await course.start.click();
    await expect(course.words).toContainText(/Epoch \d of 4/);
    // Now every shader is made.
    await page.evaluate(() => (globalThis.longTasks.length = 0));
    await expect(course.words).toContainText(/Epoch [2-4] of 4/);
    const first = await course.number('val-loss');
    await course.pause.click();
    await expect(course.words).toContainText('Paused after');
    const long = await page.evaluate(() => globalThis.longTasks);
    expect(long.filter(({ duration }) => duration > 100 * crowding())).toEqual([]);
    await course.studio.saved();

    await page.reload();
    await expect(course.words).toContainText('Paused after');
    await page.getByTestId('train-continue').click();
    await expect(course.words).toContainText('Done after 4 epochs');
    expect(await course.number('val-loss')).toBeLessThan(first);
  });

  test('every dial says what it takes, and the preview shows what the network sees', async ({ page }) => {
    const course = new Course(page);
    await course.open(pictures);
    await page.getByTestId('train-dials').locator('summary').click();
    const rate = page.getByTestId('dial-rate');
    await rate.fill('99');
    await rate.press('Tab');
    await expect(page.getByTestId('train-dials').getByRole('alert')).toContainText('from 0.0000001 to 10');
    await rate.fill('0.02');
    await rate.press('Tab');
    await expect(page.getByTestId('train-dials').getByRole('alert')).toHaveCount(0);
    await page.getByTestId('preset-varied').click();
    await expect(page.getByTestId('dial-rotation')).toHaveValue('12');
    await page.getByTestId('preview').click();
    await expect(page.getByTestId('preview-strip').locator('canvas')).toHaveCount(8);
    await course.studio.saved();
    await page.reload();
    await expect(page.getByTestId('dial-rate')).toHaveValue('0.02');
    await page.getByTestId('train-dials').locator('summary').click();
    await page.getByTestId('train-reset').click();
    await expect(page.getByTestId('dial-rotation')).toHaveValue('0');
  });

  test('the curves have axes, values under a pointer and a finger and for a screen reader, and the title says how far it is', async ({ page }) => {
    const course = new Course(page);
    await course.open(pictures);
    await course.choose('depth-head', 300);
    await course.start.click();
    await expect(page).toHaveTitle(/^\d+ of 300, [\d.]+ % . My project . ResLab$/);
    await expect(course.words).toContainText(/Epoch ([3-9]|\d\d+) of 300/);
    await course.pause.click();
    await expect(course.words).toContainText('Paused after');
    const epochs = Number(/after (\d+)/.exec(await course.words.textContent())[1]);
    const curve = page.getByTestId('curve-accuracy');
    for (const mark of ['100 %', '50 %', '0 %', 'epoch', `${epochs}`]) await expect(curve.getByText(mark, { exact: true })).toBeVisible();
    const chart = curve.getByRole('img');
    await expect(chart).toHaveAttribute('aria-label', new RegExp(`^Accuracy\\. Epoch ${epochs}: training [\\d.]+ %, validation [\\d.]+ %`));
    const { width, height } = await chart.boundingBox();
    await chart.hover({ position: { x: 1, y: height / 2 } });
    // Both charts show the epoch that one is pointed at.
    await expect(page.getByTestId('curve-accuracy-at')).toContainText(/^Epoch 1: training [\d.]+ %, validation [\d.]+ %$/);
    await expect(page.getByTestId('curve-loss-at')).toContainText(/^Epoch 1: training [\d.]+, validation [\d.]+$/);
    await page.mouse.move(0, 0);
    await expect(page.getByTestId('curve-accuracy-at')).toBeEmpty();
    await chart.dispatchEvent('pointerdown', { pointerType: 'touch', clientX: (await chart.boundingBox()).x + width - 1 });
    await expect(page.getByTestId('curve-accuracy-at')).toContainText(`Epoch ${epochs}:`);
    // Told apart without their colours, and all of it as a table.
    const dashes = await curve.locator('.curves__line').evaluateAll((lines) => lines.map((line) => getComputedStyle(line).strokeDasharray));
    expect(new Set(dashes).size).toBe(2);
    await page.getByTestId('curves').locator('summary').click();
    await expect(page.getByTestId('curves').getByRole('row')).toHaveCount(epochs + 1);
  });

  test('says what is missing', async ({ page }) => {
    const studio = new Studio(page);
    await studio.open();
    await page.getByTestId('new-project').click();
    await studio.step('train');
    await expect(page.getByTestId('train-empty')).toContainText('at least two classes');
    await studio.step('judge');
    await expect(page.getByTestId('judge-empty')).toContainText('Train one first');
  });

  test('waits for the pictures that are still being added', async ({ page }) => {
    const studio = new Studio(page);
    await studio.open();
    await page.getByTestId('example-shapes').click();
    await studio.step('train');
    await expect(page.getByTestId('train-start')).toBeEnabled();
    await expect(page.getByTestId('train-pictures')).toHaveText('180 pictures of 3 classes.');
    await expect(page.getByTestId('train-advice')).toHaveCount(0);
  });
});
