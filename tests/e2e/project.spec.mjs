// A project by itself: a new one takes over nothing, runs are kept, focus is never lost, and there is always a way on.

import { expect, test } from '@playwright/test';
import { readFile } from 'node:fs/promises';
import { watch } from './pages/app.mjs';
import { Lab, file, picture as sample } from './pages/lab.mjs';
import { png, stripes } from './pages/pictures.mjs';
import { Studio, zip } from './pages/studio.mjs';

const picture = (name, seed, kind = 'flat') => ({ name, mimeType: 'image/png', buffer: stripes(kind, seed) });

/** A project with two classes of stripes; `count` pictures of each. */
async function project(page, count = 6) {
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  for (const [index, kind] of ['flat', 'upright'].entries()) {
    await page.getByTestId('class-name').nth(index).fill(kind);
    await page.getByTestId('class-name').nth(index).press('Tab');
    const pictures = Array.from({ length: count }, (_, i) => picture(`${i}.png`, 1 + i + 1000 * index, kind));
    await page.getByTestId('upload-input').nth(index).setInputFiles(pictures);
  }
  await expect(studio.counts).toHaveText([`${count} pictures`, `${count} pictures`]);
  await studio.saved();
  return studio;
}

/** Trains the last layer for so many epochs. */
async function train(page, epochs) {
  await page.getByTestId('step-train').click();
  await page.getByTestId('train-epochs').fill(String(epochs));
  await page.getByTestId('train-epochs').press('Tab');
  await page.getByTestId('train-start').click();
  await expect(page.getByTestId('train-words')).toContainText(`Done after ${epochs === 1 ? '1 epoch' : `${epochs} epochs`}`);
}

/** The test id of what has the focus; `BODY` when nothing has it. */
const focused = (page) => page.evaluate(() => document.activeElement.dataset.testid ?? document.activeElement.tagName);

test('a new project begins at its first step, without the network or the camera of the one before', async ({ page }) => {
  const seen = watch(page);
  await page.addInitScript(() => {
    globalThis.cameras = 0;
    navigator.mediaDevices.getUserMedia = () => {
      globalThis.cameras += 1;
      return Promise.reject(new DOMException('', 'NotFoundError'));
    };
  });
  await new Lab(page).open();
  const studio = await project(page);
  await train(page, 1);
  await studio.step('export');
  await expect(page.getByTestId('export-onnx')).toBeEnabled();

  await page.getByTestId('all-projects').click();
  await page.getByTestId('new-project').click();
  await expect(page.getByTestId('collect')).toBeVisible();
  await expect(page).toHaveURL(/#teach\/collect$/);
  await studio.step('export');
  await expect(page.getByTestId('takeaway')).toContainText('no trained network to export');
  await expect(page.getByTestId('export-onnx')).toBeDisabled();
  await expect(page.getByTestId('export-safetensors')).toBeDisabled();
  await expect(page.getByTestId('export-zip')).toBeEnabled();
  await studio.step('live');
  await expect(page.getByTestId('nothing-trained')).toContainText('no trained network');
  await studio.step('judge');
  await expect(page.getByTestId('judge-empty')).toBeVisible();
  await studio.step('train');
  await expect(page.getByTestId('runs')).toHaveCount(0);

  // The one that is trained has its own again, and no camera until it is asked for.
  await page.getByTestId('all-projects').click();
  await page.getByTestId('open-project').last().click();
  await studio.step('live');
  await expect(page.getByTestId('watch')).toContainText('Your network');
  await expect(page.getByTestId('live-start')).toBeVisible();
  expect(await page.evaluate(() => globalThis.cameras)).toBe(0);
  // Without a camera there is a way on.
  await page.getByTestId('live-start').click();
  await expect(page.getByTestId('live-trouble')).toContainText('picture files');
  await expect(page.getByTestId('wrong')).toHaveCount(0);
  await page.getByTestId('try-input').setInputFiles(picture('new.png', 4711));
  await expect(page.getByTestId('tried-best')).toHaveText(/flat|upright|Not sure/);
  expect(seen.errors).toEqual([]);
});

test('every training is kept as a run: used, deleted, brought back', async ({ page }) => {
  await new Lab(page).open();
  const studio = await project(page);
  await train(page, 3);
  await page.getByTestId('train-epochs').fill('1');
  await page.getByTestId('train-epochs').press('Tab');
  await page.getByTestId('train-start').click();
  await expect(page.getByTestId('train-words')).toContainText('Done after 1 epoch.');
  const runs = page.getByTestId('run');
  await expect(runs).toHaveCount(2);
  await expect(runs.first()).toContainText('Run 2');
  await expect(runs.first().getByTestId('use-run')).toBeChecked();

  // The earlier one is there as it was.
  await runs.last().getByTestId('use-run').check();
  await expect(page.getByTestId('train-words')).toContainText('Done after 3 epochs');
  await studio.step('judge');
  await expect(page.getByTestId('judge-accuracy')).toContainText('%');
  await studio.step('train');
  await studio.saved();
  await page.reload();
  await expect(page.getByTestId('run')).toHaveCount(2);
  await expect(page.getByTestId('run').last().getByTestId('use-run')).toBeChecked();
  await expect(page.getByTestId('train-words')).toContainText('Done after 3 epochs');

  // Either can be exported: that one is then in use.
  await runs.first().getByTestId('export-run').click();
  const saving = page.waitForEvent('download');
  await page.getByTestId('export-safetensors').click();
  await saving;
  await studio.step('train');
  await expect(runs.first().getByTestId('use-run')).toBeChecked();
  await runs.last().getByTestId('use-run').check();

  await runs.last().getByTestId('delete-run').click();
  await expect(runs).toHaveCount(1);
  await expect(page.getByTestId('train-words')).toContainText('Done after 1 epoch.');
  await page.getByTestId('undo').click();
  await expect(runs).toHaveCount(2);
  await studio.saved();
  await page.reload();
  await expect(runs).toHaveCount(2);
});

test('a project as an older page stored it opens with its one run', async ({ page }) => {
  await new Lab(page).open();
  const studio = await project(page);
  await train(page, 2);
  await studio.saved();
  // What that page wrote: one run a project, by the project's number and without a number of its own.
  await page.evaluate(async () => {
    const ask = (request) => new Promise((done, fail) => ((request.onsuccess = () => done(request.result)), (request.onerror = fail)));
    const database = await ask(indexedDB.open('reslab /'));
    const stores = database.transaction(['runs', 'projects'], 'readwrite');
    const [key] = await ask(stores.objectStore('runs').getAllKeys());
    const run = await ask(stores.objectStore('runs').get(key));
    const { name, classes, sides, recipe, pixels, history, finished } = JSON.parse(run.history);
    await ask(stores.objectStore('runs').put({ checkpoint: run.checkpoint, history: JSON.stringify({ name, classes, sides, recipe, pixels, history, finished }) }, key[0]));
    await ask(stores.objectStore('runs').delete(key));
    const kept = JSON.parse(await ask(stores.objectStore('projects').get(key[0])));
    const { id, created_ms, changed_ms, next_class, trashed } = kept;
    const old = { id, name: kept.name, created_ms, changed_ms, next_class, trashed };
    old.classes = kept.classes.map(({ id, name, colour, enabled }) => ({ id, name, colour, enabled }));
    old.settings = { depth: 'head', epochs: 15, recipe: null, threshold: 0.5 };
    await ask(stores.objectStore('projects').put(JSON.stringify(old), key[0]));
    database.close();
  });
  await page.reload();
  await expect(page.getByTestId('train-words')).toContainText('Done after 2 epochs');
  await expect(page.getByTestId('run')).toHaveCount(1);
  await studio.step('judge');
  await expect(page.getByTestId('judge-accuracy')).toContainText('%');
  // A new run beside it, and both are there afterwards.
  await train(page, 1);
  await studio.saved();
  await page.reload();
  await expect(page.getByTestId('run')).toHaveCount(2);
});

test('one epoch can be trained, the estimates are there, and the screen stays on meanwhile', async ({ page }) => {
  await page.addInitScript(() => {
    globalThis.locks = { asked: 0, released: 0 };
    const lock = { released: false, release: async () => (globalThis.locks.released += 1) };
    Object.defineProperty(navigator, 'wakeLock', { value: { request: async () => ((globalThis.locks.asked += 1), { ...lock }) } });
  });
  await new Lab(page).open();
  await project(page);
  await page.getByTestId('step-train').click();
  await page.getByTestId('train-epochs').fill('1');
  await page.getByTestId('train-epochs').press('Tab');
  for (const depth of ['head', 'stage', 'all']) await expect(page.getByTestId(`depth-${depth}-takes`)).toContainText('about');
  const { asked } = await page.evaluate(() => globalThis.locks);
  await page.getByTestId('train-start').click();
  await expect(page.getByTestId('train-words')).toContainText('Done after 1 epoch.');
  await expect.poll(() => page.evaluate(() => globalThis.locks.asked)).toBeGreaterThan(asked);
  await expect.poll(() => page.evaluate(() => globalThis.locks.asked - globalThis.locks.released)).toBe(0);
  await expect(page.getByTestId('train-error')).toHaveCount(0);
});

test('classes that are mirror images are named, and nothing is flipped', async ({ page }) => {
  await new Lab(page).open();
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  const archive = zip({ 'left/1.png': stripes('flat', 1), 'right/2.png': stripes('upright', 2) });
  await page.getByTestId('add-zip-input').setInputFiles({ name: 'arrows.zip', mimeType: 'application/zip', buffer: archive });
  await expect.poll(() => studio.names()).toEqual(['left', 'right']);
  await studio.step('train');
  await page.getByTestId('depth-all').check();
  await expect(page.getByTestId('mirror-off')).toContainText('mirror images');
  await page.getByTestId('train-dials').locator('summary').click();
  await expect(page.getByTestId('dial-flip')).not.toBeChecked();
  await page.getByTestId('preset-varied').click();
  await expect(page.getByTestId('dial-flip')).not.toBeChecked();
  await page.getByTestId('dial-flip').check();
  await expect(page.getByTestId('mirror-on')).toContainText('wrong labels');
  await page.getByTestId('mirror-turn-off').click();
  await expect(page.getByTestId('dial-flip')).not.toBeChecked();
});

test('a picture is tried where it is dropped, and can be added to a class', async ({ page }) => {
  await new Lab(page).open();
  const studio = await project(page);
  await train(page, 1);
  const lab = new Lab(page);
  // Where nothing shows an answer, the drop leads to where one is.
  await lab.drop(picture('early.png', 97));
  await expect(page.getByTestId('watch')).toBeVisible();
  await expect(page.getByTestId('tried')).toContainText('early.png');
  await studio.step('judge');
  await expect(page.getByTestId('judge-accuracy')).toContainText('%');
  await lab.drop(picture('dropped.png', 99));
  await expect(page.getByTestId('tried').first()).toContainText('dropped.png');
  await expect(page.getByTestId('tried-best').first()).toHaveText(/flat|upright|Not sure/);
  await lab.paste(picture('pasted.png', 98));
  await expect(page.getByTestId('tried')).toHaveCount(3);
  await lab.drop(file('words.txt', 'text/plain', 'no picture'));
  await expect(page.getByTestId('tried').first()).toContainText('not a picture');
  await expect(studio.skipped).toHaveCount(0);
  await studio.step('live');
  await expect(page.getByTestId('tried')).toHaveCount(4);
  await page.getByTestId('tried').nth(1).locator('select').selectOption({ label: 'flat' });
  await expect(page.getByTestId('tried').nth(1)).toContainText('Added to “flat”');
  await studio.step('collect');
  await expect(studio.counts.first()).toHaveText('7 pictures');
});

test('what was left out is said for a while, for as long as somebody reads it, and above the way on', async ({ page }) => {
  await page.clock.install();
  await page.setViewportSize({ width: 390, height: 844 });
  const studio = await project(page);
  await studio.step('collect');
  const leaveOut = () => page.getByTestId('upload-input').first().setInputFiles(file('words.txt', 'text/plain', 'no picture'));
  await leaveOut();
  await expect(studio.skipped).toContainText('1 file was not added');
  const [said, next] = [await studio.skipped.boundingBox(), await page.getByTestId('next').boundingBox()];
  expect(said.y + said.height).toBeLessThanOrEqual(next.y);
  await page.clock.fastForward(25_000);
  await expect(studio.skipped).toHaveCount(0);
  await leaveOut();
  await studio.skipped.locator('summary').click();
  await page.clock.fastForward(60_000);
  await expect(studio.skipped).toContainText('words.txt');
  await page.getByTestId('skipped-close').click();
  await expect(studio.skipped).toHaveCount(0);
});

test('focus stays near what was done, menus and galleries have arrow keys, and one can skip the head', async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').focus();
  await page.keyboard.press('Enter');
  await expect.poll(() => focused(page)).toBe('class-name');
  // The name is selected: typing replaces it.
  await page.keyboard.type('cup');
  await page.keyboard.press('Tab');
  await expect.poll(() => studio.names()).toEqual(['cup', 'Class 2']);
  await page.getByTestId('add-class').focus();
  await page.keyboard.press('Enter');
  await expect.poll(() => focused(page)).toBe('class-name');
  await page.keyboard.type('mug');
  await page.keyboard.press('Enter');
  await expect.poll(() => studio.names()).toEqual(['cup', 'Class 2', 'mug']);

  const menu = studio.classes.last().getByTestId('menu');
  await menu.focus();
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('menuitem').first()).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(page.getByTestId('delete-class')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('menu')).toHaveCount(0);
  await expect(menu).toBeFocused();
  await menu.click();
  await page.getByTestId('delete-class').click();
  await expect(studio.classes).toHaveCount(2);
  await expect.poll(() => focused(page)).not.toBe('BODY');

  await page.getByTestId('upload-input').first().setInputFiles(Array.from({ length: 9 }, (_, i) => picture(`${i}.png`, i)));
  const tiles = studio.classes.first().getByTestId('picture-tile');
  await expect(tiles).toHaveCount(9);
  await studio.saved();
  await expect(studio.classes.first().locator('[data-testid=picture-tile][tabindex="0"]')).toHaveCount(1);
  await tiles.first().focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await expect(tiles.nth(2)).toBeFocused();
  await page.keyboard.press('End');
  await expect(tiles.last()).toBeFocused();
  await page.keyboard.press('Home');
  await expect(tiles.first()).toBeFocused();
  await page.keyboard.press('Space');
  await page.keyboard.press('Delete');
  await expect(tiles).toHaveCount(8);
  await expect.poll(() => focused(page)).toBe('picture-tile');

  await page.getByTestId('skip').focus();
  await page.keyboard.press('Enter');
  await expect.poll(() => page.evaluate(() => document.activeElement.id)).toBe('main');
  await page.getByTestId('all-projects').click();
  await expect.poll(() => focused(page)).not.toBe('BODY');
});

test('the focus is on the way on when a training ends', async ({ page }) => {
  await new Lab(page).open();
  await project(page);
  await page.getByTestId('step-train').click();
  await page.getByTestId('train-epochs').fill('1');
  await page.getByTestId('train-epochs').press('Tab');
  await page.getByTestId('train-start').focus();
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('train-words')).toContainText('Done after 1 epoch.');
  await expect.poll(() => focused(page)).not.toBe('BODY');
});

test('another language leaves the focus on its choice', async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  for (const code of ['zh', 'en']) {
    await page.getByTestId('language').focus();
    await page.getByTestId('language').selectOption(code);
    await expect(page.locator('html')).toHaveAttribute('lang', code);
    await expect(page.getByTestId('language')).toBeFocused();
  }
});

test('the way back leads where one was, and the title says where one is', async ({ page }) => {
  await new Lab(page).open();
  await project(page, 2);
  await expect(page).toHaveTitle(/My project . Collect . ResLab/);
  await page.getByTestId('step-train').click();
  await expect(page).toHaveTitle(/My project . Train/);
  await page.goBack();
  await expect(page.getByTestId('collect')).toBeVisible();
  await page.goBack();
  await expect(page.getByTestId('new-project')).toBeVisible();
  await page.goForward();
  await expect(page.getByTestId('collect')).toBeVisible();
  await page.getByTestId('step-train').click();
  await page.getByTestId('screen-look').click();
  await expect(page).toHaveTitle('ResLab: what does the picture show?');
  await page.getByTestId('screen-teach').click();
  await expect(page.getByTestId('train')).toBeVisible();
  await page.getByTestId('language').selectOption('zh');
  await expect(page).toHaveTitle(/训练/);
});

test('there is one next step on every screen of a project', async ({ page }) => {
  await new Lab(page).open();
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  await expect(page.getByTestId('next-missing')).toContainText('Class 1');
  const pets = zip({ 'cat/1.png': stripes('flat', 1), 'cat/2.png': stripes('flat', 2), 'dog/3.png': stripes('upright', 3), 'dog/4.png': stripes('upright', 4) });
  await page.getByTestId('add-zip-input').setInputFiles({ name: 'pets.zip', mimeType: 'application/zip', buffer: pets });
  await expect.poll(() => studio.names()).toEqual(['cat', 'dog']);
  await page.getByTestId('next').click();
  await expect(page.getByTestId('train-start')).toHaveClass(/button--main/);
  await train(page, 1);
  // What comes next is the large button, not training once more.
  await expect(page.getByTestId('train-start')).not.toHaveClass(/button--main/);
  await page.getByTestId('train-judge').click();
  await page.getByTestId('next').click();
  await expect(page.getByTestId('watch')).toBeVisible();
  await page.getByTestId('next').click();
  await expect(page.getByTestId('export-onnx')).toBeEnabled();
});

test('a screen that is left before it was drawn is no fault', async ({ page }) => {
  // Every frame comes late, as on a busy machine.
  await page.addInitScript(() => {
    const frame = globalThis.requestAnimationFrame.bind(globalThis);
    globalThis.late = 0;
    globalThis.requestAnimationFrame = (draw) => {
      globalThis.late += 1;
      return setTimeout(() => frame((now) => { globalThis.late -= 1; draw(now); }), 400);
    };
    navigator.mediaDevices.getUserMedia = async () => {
      const canvas = document.createElement('canvas');
      canvas.getContext('2d').fillRect(0, 0, 9, 9);
      return canvas.captureStream(10);
    };
  });
  const seen = watch(page);
  const studio = await project(page, 2);
  for (const step of ['train', 'collect', 'judge', 'collect', 'live', 'collect', 'export', 'collect']) await studio.step(step);
  await page.getByTestId('menu').first().click();
  await page.getByTestId('screen-look').click();
  // The button that records leaves the page with the focus.
  await page.getByTestId('screen-teach').click();
  await page.getByTestId('open-camera').first().click();
  await expect(page.getByTestId('hold')).toBeFocused();
  await page.evaluate(() => void (location.hash = '#teach/train'));
  await expect(page.getByTestId('train')).toBeVisible();
  await expect.poll(() => page.evaluate(() => globalThis.late)).toBe(0);
  expect(seen.errors).toEqual([]);
});

test('the footer says what is true where one is', async ({ page }) => {
  await new Lab(page).open();
  await expect(page.getByTestId('privacy')).toContainText('stay in this tab');
  await page.getByTestId('screen-teach').click();
  await expect(page.getByTestId('privacy')).toContainText('kept in this browser on this device');
  await page.getByTestId('screen-benchmark').click();
  await expect(page.getByTestId('privacy')).toContainText('random weights');
});

test('what was deleted offers its undo for a while, then the toast leaves', async ({ page }) => {
  await page.clock.install();
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  await studio.classes.last().getByTestId('menu').click();
  await page.getByTestId('delete-class').click();
  await expect(page.getByTestId('undo-toast')).toBeVisible();
  await page.clock.runFor(30_000);
  await expect(page.getByTestId('undo-toast')).toHaveCount(0);
  // The keys still bring it back.
  await page.keyboard.press('Control+z');
  await expect(studio.classes).toHaveCount(2);
});

for (const width of [320, 390, 768]) {
  test(`nothing of a project is wider than ${width} px, and every step is in sight`, async ({ page }) => {
    await page.setViewportSize({ width, height: 844 });
    await new Lab(page).open();
    const studio = await project(page, 3);
    await train(page, 1);
    const fits = async (name) => {
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(over, name).toBeLessThanOrEqual(0);
    };
    for (const step of ['collect', 'train', 'judge', 'live', 'export']) {
      const box = await page.getByTestId(`step-${step}`).boundingBox();
      expect(box.x >= 0 && box.x + box.width <= width, step).toBe(true);
      await studio.step(step);
      await fits(step);
    }
    await page.getByTestId('export-onnx').click();
    await page.getByTestId('recipes').locator('summary').first().click();
    await fits('the recipe');
    await studio.step('train');
    await page.getByTestId('train-dials').locator('summary').click();
    await fits('all settings');
    // No choice is cut: its words fit into its field.
    const cut = await page.getByTestId('train-dials').locator('select').evaluateAll((selects) =>
      selects.filter((select) => {
        const words = document.createElement('span');
        words.style.cssText = `position: absolute; white-space: nowrap; font: ${getComputedStyle(select).font}`;
        words.textContent = select.selectedOptions[0].textContent;
        document.body.append(words);
        const wide = words.getBoundingClientRect().width + 38 > select.clientWidth;
        words.remove();
        return wide;
      }).map((select) => select.id),
    );
    expect(cut).toEqual([]);
  });
}

test('before the answer it is said what the network knows, and an unsure answer is none', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const few = page.getByTestId('few-classes');
  await expect(few).toContainText('only 10 things');
  await expect(page.getByTestId('use-recommended')).toContainText('knows 1,000 things');
  await lab.choose(await sample('cat'));
  await expect(lab.best).toContainText('cat');
  const [above, answer] = await Promise.all([few.boundingBox(), lab.best.boundingBox()]);
  expect(above.y + above.height).toBeLessThanOrEqual(answer.y);
  // A grey plane is nothing in particular.
  await lab.choose({ name: 'grey.png', mimeType: 'image/png', buffer: png(32, 32, () => [128, 128, 128]) });
  await expect(lab.fileName).toHaveText('grey.png');
  await expect(lab.predictions).toHaveCount(5);
  await expect(lab.best).toHaveText('Not sure');
  expect(Number.parseFloat(await lab.predictions.first().locator('.bars__value').textContent())).toBeLessThan(50);
});

test('what a project exports opens as a model where pictures are recognised', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const studio = await project(page);
  await train(page, 1);
  await studio.step('export');
  const files = [];
  for (const way of ['export-onnx', 'export-tflite', 'export-safetensors']) {
    const saving = page.waitForEvent('download');
    await page.getByTestId(way).click();
    const saved = await saving;
    files.push(file(saved.suggestedFilename(), '', await readFile(await saved.path())));
  }
  // A page that has just been opened knows nothing of the project.
  await page.goto('about:blank');
  await lab.open();
  for (const one of files) {
    await lab.drop(one);
    await expect(lab.modelName, one.name).toHaveText(one.name);
    await lab.choose(picture(`new to ${one.name}.png`, 4711));
    await expect(lab.predictions.first(), one.name).toContainText(/flat|upright/);
    await expect(lab.modelError, one.name).toHaveCount(0);
    await expect(lab.pictureError, one.name).toHaveCount(0);
  }
});

test('a training that ends while nobody looks says so in the title, and with a notice where it was asked for', async ({ page }) => {
  await page.addInitScript(() => {
    globalThis.notices = [];
    globalThis.Notification = class {
      static permission = 'default';
      static requestPermission = async () => (globalThis.Notification.permission = 'granted');
      constructor(title, { body }) {
        globalThis.notices.push(`${title}: ${body}`);
      }
    };
  });
  await new Lab(page).open();
  await project(page);
  await page.getByTestId('step-train').click();
  await page.getByTestId('train-epochs').fill('30');
  await page.getByTestId('train-epochs').press('Tab');
  await page.getByTestId('train-start').click();
  await page.getByTestId('bell').check();
  const hide = (hidden) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    }, hidden);
  await hide(true);
  await expect(page).toHaveTitle(/^Training is done\. . My project/);
  expect(await page.evaluate(() => globalThis.notices)).toEqual(['My project: Training is done.']);
  await hide(false);
  await expect(page).toHaveTitle(/^My project . Train/);
});

test('a video gives its frames to a class, without those that hardly differ', async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  // Two still scenes of a second and a half each.
  const film = await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 120 });
    const context = canvas.getContext('2d');
    const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: 'video/webm;codecs=vp8' });
    const pieces = [];
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    const stopped = new Promise((done) => (recorder.onstop = done));
    const begun = performance.now();
    recorder.start();
    await new Promise((done) => {
      const draw = () => {
        const second = (performance.now() - begun) / 1000;
        context.fillStyle = second < 1.5 ? '#d02010' : '#1040d0';
        context.fillRect(0, 0, 160, 120);
        context.fillStyle = '#fff';
        context.fillRect(second < 1.5 ? 20 : 100, 30, 40, 40);
        if (second < 3) requestAnimationFrame(draw);
        else done();
      };
      draw();
    });
    recorder.stop();
    await stopped;
    const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  });
  await page.getByTestId('upload-input').first().setInputFiles({ name: 'film.webm', mimeType: 'video/webm', buffer: Buffer.from(film, 'base64') });
  await expect(studio.skipped).toContainText(/[2-5] files were not added/);
  await expect(studio.counts.first()).toHaveText(/^[2-3] pictures$/);
  await studio.skipped.locator('summary').click();
  await expect(studio.skipped).toContainText('hardly differ');
  await page.getByTestId('upload-input').first().setInputFiles({ name: 'broken.mp4', mimeType: 'video/mp4', buffer: Buffer.from('no film') });
  await expect(studio.skipped).toContainText('cannot read this video');
});
