// A project from nothing to a network that is used, with the keys alone; with fingers on the smallest phone; and as a screen reader
// is told of it.

import { expect, test } from '@playwright/test';
import { Lab } from './pages/lab.mjs';
import { stripes } from './pages/pictures.mjs';
import { Studio } from './pages/studio.mjs';

// Long stories: bounds for hangs, also on a crowded machine.
test.describe.configure({ timeout: 480_000 });

const pictures = (kind, count) =>
  Array.from({ length: count }, (_, i) => ({ name: `${i}.png`, mimeType: 'image/png', buffer: stripes(kind, 1 + i + (kind === 'flat' ? 0 : 1000)) }));

/** Gives files to the dialog that `act` opens. */
async function give(page, files, act) {
  const dialog = page.waitForEvent('filechooser');
  await act();
  await (await dialog).setFiles(files);
}

test('keys alone lead from the first screen to an exported network, and the focus always shows', async ({ page }) => {
  // Dialogs are taken from the browser all the time: taken one by one, now and then one was the browser's own.
  page.on('filechooser', () => {});
  await new Lab(page).open();
  /** Presses Tab until the focus is on the element; the way there is as a person goes it. */
  const go = async (testid, nth = 0) => {
    const wanted = page.getByTestId(testid).nth(nth);
    await wanted.waitFor();
    for (let pressed = 0; pressed < 60; pressed++) {
      if (await wanted.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press('Tab');
      const outline = await page.evaluate(() => {
        const { activeElement } = document;
        const shown = activeElement.matches('input[type=radio]') ? activeElement.nextElementSibling : activeElement;
        return activeElement === document.body || activeElement.matches('.skip') || [activeElement, shown].some((e) => getComputedStyle(e).outlineStyle !== 'none' || getComputedStyle(e).borderStyle !== 'none');
      });
      expect(outline, `the focus shows on the way to ${testid}`).toBe(true);
    }
    throw new Error(`Tab does not come to ${testid}`);
  };
  const press = async (testid, nth) => {
    await go(testid, nth);
    await page.keyboard.press('Enter');
  };
  await press('screen-teach');
  await press('new-project');
  // The name has the focus, and what is typed replaces it.
  await expect(page.getByTestId('class-name').first()).toBeFocused();
  await page.keyboard.type('flat');
  await go('upload', 0);
  await give(page, pictures('flat', 6), () => page.keyboard.press('Enter'));
  await go('class-name', 1);
  await page.keyboard.press('Control+a');
  await page.keyboard.type('upright');
  await go('upload', 1);
  await give(page, pictures('upright', 6), () => page.keyboard.press('Space'));
  await press('next');
  await go('train-epochs');
  await page.keyboard.press('Control+a');
  await page.keyboard.type('2');
  await press('train-start');
  await expect(page.getByTestId('train-words')).toContainText('Done after 2 epochs');
  await press('train-judge');
  await expect(page.getByTestId('judge-accuracy')).toContainText('%');
  await press('next');
  // The screen before has a button of that name, too.
  await expect(page.getByTestId('watch')).toBeVisible();
  await go('try');
  await give(page, pictures('flat', 1), () => page.keyboard.press('Enter'));
  await expect(page.getByTestId('tried-best')).toHaveText(/flat|upright|Not sure/);
  await press('next');
  const saving = page.waitForEvent('download');
  await press('export-onnx');
  expect((await saving).suggestedFilename()).toMatch(/\.onnx$/);
  for (const [way, name] of [
    ['export-tfjs', /-tfjs\.zip$/],
    ['export-tflite', /\.tflite$/],
    ['export-tflite-f16', /-f16\.tflite$/],
  ]) {
    const saving = page.waitForEvent('download');
    await page.getByTestId(way).press('Enter');
    expect((await saving).suggestedFilename()).toMatch(name);
  }
  await expect(page.getByTestId('recipes')).toContainText('Kotlin (not tested by us)');
});

test.describe('with fingers, 320 px wide', () => {
  test.use({ hasTouch: true, isMobile: true, viewport: { width: 320, height: 640 }, deviceScaleFactor: 2 });

  /** Nothing is wider than the screen, and whatever can be tapped is large enough and not covered. */
  async function fits(page, state, within = 'body') {
    const wrong = await page.evaluate((within) => {
      const found = [];
      if (document.documentElement.scrollWidth > innerWidth) found.push(`${document.documentElement.scrollWidth} px wide`);
      const words = (e) => `${e.dataset.testid ?? e.className ?? e.tagName} “${e.textContent.trim().slice(0, 30)}”`;
      for (const element of document.querySelector(within).querySelectorAll('button, a[href], select, summary, input')) {
        // A choice is as large as its words, which can be tapped as well.
        const target = (element.matches('input[type=checkbox], input[type=radio]') && element.closest('label')) || element;
        if (!target.checkVisibility({ visibilityProperty: true }) || element.matches('.hidden, .skip, :disabled')) continue;
        target.scrollIntoView({ block: 'center', inline: 'nearest' });
        const box = target.getBoundingClientRect();
        if (box.width === 0) continue;
        // A link in a sentence is as high as its line, which WCAG 2.2 allows.
        const inline = element.matches('p a, .link');
        // What leads on is for fingers as large as they are; a picture of many, a slider and a number in a table at least as WCAG 2.2 has it.
        const main = element.matches('.button, .select, .screens__link, .steps__link, .number, .name, summary');
        const least = main ? 40 : 24;
        if (!inline && (box.height < least - 0.5 || box.width < Math.min(least, 36))) found.push(`${words(element)}: ${box.width.toFixed(0)} x ${box.height.toFixed(0)}`);
        if (box.left < -1 || box.right > innerWidth + 1) {
          if (!element.closest('.matrix, .runs__scroll, .code, .gallery')) found.push(`${words(element)}: outside, to ${box.right.toFixed(0)}`);
          continue;
        }
        const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
        if (!hit || !(target.contains(hit) || hit.contains(target) || hit.closest('label')?.contains(target))) found.push(`${words(element)}: under ${hit && words(hit)}`);
      }
      scrollTo(0, 0);
      return found;
    }, within);
    expect(wrong, state).toEqual([]);
  }

  test('a project is made, trained and tried; everything is in reach', async ({ page }) => {
    const lab = new Lab(page);
    await lab.open();
    await fits(page, 'the first screen');
    await page.getByTestId('sample').first().tap();
    await expect(lab.predictions).toHaveCount(5);
    await page.getByTestId('model-picker').locator('summary').tap();
    await fits(page, 'a result');
    await page.getByTestId('screen-teach').tap();
    await page.getByTestId('new-project').tap();
    await fits(page, 'empty classes');
    // What only a mouse can do is not spoken of.
    await expect(page.getByTestId('add-folder')).toBeHidden();
    await expect(page.getByTestId('collect')).not.toContainText(/drop/i, { useInnerText: true });
    for (const [nth, kind] of ['flat', 'upright'].entries()) {
      await give(page, pictures(kind, 6), () => page.getByTestId('upload').nth(nth).tap());
    }
    const studio = new Studio(page);
    await expect(studio.counts).toHaveText(['6 pictures', '6 pictures']);
    await studio.saved();
    // A row of pictures is as wide as its card.
    const row = await studio.classes.first().getByTestId('gallery').evaluate((gallery) => {
      const tops = [...gallery.querySelectorAll('li')].map((tile) => tile.getBoundingClientRect());
      return gallery.getBoundingClientRect().right - Math.max(...tops.map((tile) => tile.right));
    });
    expect(row).toBeLessThan(4);
    await fits(page, 'pictures');
    await studio.classes.last().getByTestId('menu').tap();
    await fits(page, 'a menu', '.menu__items');
    await page.keyboard.press('Escape');
    await page.getByTestId('next').tap();
    await page.getByTestId('train-epochs').fill('2');
    await page.getByTestId('train-dials').locator('summary').tap();
    await fits(page, 'all settings');
    await page.getByTestId('train-start').tap();
    await expect(page.getByTestId('train-words')).toContainText('Done after 2 epochs');
    await fits(page, 'trained');
    await page.getByTestId('train-judge').tap();
    await expect(page.getByTestId('judge-accuracy')).toContainText('%');
    await fits(page, 'judged');
    // A share stands on one line.
    const lines = await page.getByTestId('class-table').locator('td').evaluateAll((cells) =>
      cells.map((cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return new Set([...range.getClientRects()].map((rect) => Math.round(rect.top))).size;
      }),
    );
    expect(Math.max(...lines)).toBe(1);
    await page.getByTestId('next').tap();
    await expect(page.getByTestId('watch')).toBeVisible();
    await give(page, pictures('flat', 1), () => page.getByTestId('try').tap());
    await expect(page.getByTestId('tried-best')).toHaveText(/\S/);
    await fits(page, 'tried');
    await page.getByTestId('next').tap();
    await fits(page, 'export');
    await page.getByTestId('all-projects').tap();
    await fits(page, 'one project');
  });
});

test('a screen reader is told what is where', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await expect(page.getByRole('banner')).toMatchAriaSnapshot(`
    - banner:
      - navigation "Screens":
        - link "Recognise"
        - link "Teach"
        - link "Benchmark"
      - combobox "Language"
  `);
  // A dialog's own field stands behind its button, and is not told of beside it.
  await expect(page.getByRole('button', { name: 'Choose pictures' })).toHaveCount(1);
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  await page.getByTestId('class-name').first().fill('flat');
  await page.getByTestId('class-name').first().press('Tab');
  await page.getByTestId('upload-input').first().setInputFiles(pictures('flat', 2));
  await expect(studio.counts.first()).toHaveText('2 pictures');
  await studio.saved();
  await expect(page.getByRole('main')).toMatchAriaSnapshot(`
    - main:
      - button "← All projects"
      - textbox "Name of the project"
      - navigation "Steps of the project":
        - list:
          - listitem:
            - link "Collect"
          - listitem:
            - link "Train"
          - listitem:
            - link "Evaluate"
          - listitem:
            - link "Try out"
          - listitem:
            - link "Export"
      - region "Collect":
        - heading "Collect" [level=1]
        - button "Add a class"
        - list:
          - listitem:
            - textbox "Name of the class": flat
            - text: 2 pictures
            - 'button "Webcam: flat"'
            - button "Upload"
            - 'button "More: flat"'
            - 'list "Pictures: flat"':
              - listitem:
                - button "Picture 1"
              - listitem:
                - button "Picture 2"
          - listitem:
            - textbox "Name of the class": Class 2
            - text: 0 pictures
            - 'button "Webcam: Class 2"'
            - button "Upload"
            - 'button "More: Class 2"'
            - combobox "Or take ready-made pictures…"
        - group "Next step":
          - paragraph: /add pictures to “Class 2”/
  `);
});
