// The page in other languages: what goes wrong is said in them too, nothing is left over in another one, and the layout turns around for
// languages that are written from the right.

import { expect, test } from '@playwright/test';
import { readFile } from 'node:fs/promises';
import { Lab, file } from './pages/lab.mjs';
import { Studio } from './pages/studio.mjs';

const STEPS = ['collect', 'train', 'judge', 'live', 'export'];

/** A page in a browser of this language. */
async function open(browser, baseURL, locale, viewport = { width: 1280, height: 860 }) {
  const context = await browser.newContext({ baseURL, locale, viewport, serviceWorkers: 'block' });
  const page = await context.newPage();
  const errors = page.waitForResponse((response) => response.url().endsWith('.errors.json'));
  await new Lab(page).open();
  await errors;
  return page;
}

for (const [locale, code, words] of [
  ['de-DE', 'de', { text: 'kein lesbares Bild, sondern eine Textdatei', png: 'Das PNG-Bild ist beschädigt', weights: 'keine lesbare Gewichtsdatei', archive: 'kein ZIP-Archiv', drop: 'keine Datei', teach: 'Neues Projekt' }],
  ['es-MX', 'es', { text: 'no es una imagen legible, sino un archivo de texto', png: 'La imagen PNG está dañada', weights: 'no es un archivo de pesos legible', archive: 'no es un archivo ZIP', drop: 'no es un archivo', teach: 'Proyecto nuevo' }],
]) {
  test(`says what is wrong in ${code}, and no library's words`, async ({ browser, baseURL }) => {
    const page = await open(browser, baseURL, locale);
    const lab = new Lab(page);
    const studio = new Studio(page);
    await expect(page.locator('html')).toHaveAttribute('lang', code);
    await lab.drop(file('letter.txt', 'text/plain', 'Dear reader'));
    await expect(lab.pictureError).toContainText(words.text);
    const damaged = Buffer.from(await readFile(new URL('../fixtures/images/scene.png', import.meta.url)));
    damaged.fill(7, 60, 400);
    await lab.drop(file('a.png', 'image/png', damaged));
    await expect(lab.pictureError).toContainText(words.png);
    await expect(lab.pictureError, 'nothing of a decoder').not.toContainText(/[Cc]rc|deflate|InvalidState|decode/);
    await lab.drop(file('net.safetensors', '', 'no weights'));
    await expect(lab.modelError).toContainText(words.weights);

    await page.getByTestId('screen-teach').click();
    await expect(page.getByTestId('new-project')).toHaveText(words.teach);
    await page.getByTestId('new-project').click();
    await page.getByTestId('add-zip-input').setInputFiles(file('cut.zip', 'application/zip', 'PK'));
    await expect(studio.error).toContainText(words.archive);
    await page.evaluate(() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.setData('text/uri-list', 'https://example.org/');
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    });
    await expect(studio.error).toContainText(words.drop);
    // No key is shown in place of its text.
    for (const step of STEPS) {
      await studio.step(step);
      await expect(page.locator('body')).not.toContainText(/\b(studio|train|judge|live|takeaway|camera|shell|error)\.[a-z_]{3,}/);
    }
    await page.context().close();
  });
}

/** Every text of a language in letters of another that is written from the right; what is filled in stays. */
const inArabic = (texts, screen = '') =>
  Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [
      key,
      typeof text === 'object' ? inArabic(text, key) : screen === 'format' && key.startsWith('large') ? text : text.replace(/%\{\w+\}|[\p{L}]/gu, (part) => (part.startsWith('%') ? part : String.fromCharCode(0x627 + (part.codePointAt(0) % 35)))),
    ]),
  );

for (const width of [390, 1280]) {
  test(`written from the right, everything keeps its place at ${width} px`, async ({ browser, baseURL }) => {
    const context = await browser.newContext({ baseURL, locale: 'zh-CN', viewport: { width, height: 844 }, serviceWorkers: 'block' });
    const page = await context.newPage();
    const english = JSON.parse(await readFile(new URL('../../www/languages/de.json', import.meta.url), 'utf8'));
    await page.route(/languages\/zh\.json$/, (route) => route.fulfill({ json: inArabic(english) }));
    const lab = new Lab(page);
    const studio = new Studio(page);
    await lab.open();
    await page.evaluate(() => (document.documentElement.dir = 'rtl'));
    const check = async (where) => {
      // From the right what sticks out does so at the left.
      const out = await page.evaluate(() =>
        [...document.querySelectorAll('body *')]
          .filter((element) => element.checkVisibility() && !element.closest('.hidden, .skip, [aria-hidden=true], .steps, .layers__scroll, table'))
          .map((element) => [element.getBoundingClientRect(), element.className])
          .filter(([box]) => box.width > 0 && (box.left < -1 || box.right > innerWidth + 1))
          .map(([box, name]) => `${name}: ${box.left} to ${box.right}`),
      );
      expect(out, where).toEqual([]);
    };
    await page.getByTestId('sample').nth(1).click();
    await expect(lab.best).toBeVisible();
    const [label, bar] = await Promise.all(['.bars__label', '.bars__bar'].map((part) => lab.predictions.first().locator(part).boundingBox()));
    expect(label.x + label.width, 'names at the right, bars grow from there').toBeGreaterThan(bar.x + bar.width / 2);
    await check('look');
    await page.getByTestId('screen-teach').click();
    await page.getByTestId('example-shapes').click();
    await expect(studio.counts.first()).toContainText('60');
    for (const step of STEPS) {
      await studio.step(step);
      await check(step);
    }
    await context.close();
  });
}
