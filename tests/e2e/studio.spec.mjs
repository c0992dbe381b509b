// The studio's projects: pictures in every way they come, undo, and nothing lost by closing the page.

import { expect, test } from '@playwright/test';
import { readFile } from 'node:fs/promises';
import { watch } from './pages/app.mjs';
import { Lab } from './pages/lab.mjs';
import { folder, stripes } from './pages/pictures.mjs';
import { Studio, zip } from './pages/studio.mjs';

const picture = (name, seed, kind = 'flat') => ({ name, mimeType: 'image/png', buffer: stripes(kind, seed) });

test('pictures from folders, archives and files; what is no picture or there already is told', async ({ page }) => {
  const seen = watch(page);
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  await expect(studio.classes).toHaveCount(2);

  const pets = await folder({ cat: { '1.png': stripes('flat', 1), '2.png': stripes('flat', 2) }, dog: { '3.png': stripes('upright', 3), 'notes.txt': 'no' } });
  await page.getByTestId('add-folder-input').setInputFiles(pets.path);
  // They take the place of the two classes that nobody has named.
  await expect(studio.classes).toHaveCount(2);
  await expect.poll(() => studio.names()).toEqual(['cat', 'dog']);
  await expect(studio.counts).toHaveText(['2 pictures', '1 picture']);
  await expect(studio.skipped).toContainText('1 file was not added');
  await pets.remove();

  const archive = zip({ 'cat/2.png': stripes('flat', 2), 'cat/4.png': stripes('flat', 4), 'cow/5.png': Buffer.from('broken') });
  await page.getByTestId('add-zip-input').setInputFiles({ name: 'pets.zip', mimeType: 'application/zip', buffer: archive });
  await expect(studio.counts.first()).toHaveText('3 pictures');
  await expect(studio.skipped).toContainText('3 files were not added');
  await studio.skipped.locator('summary').click();
  await expect(studio.skipped).toContainText('in the project already');
  await expect(studio.skipped).toContainText('5.png');

  await page.getByTestId('upload-input').first().setInputFiles([picture('6.png', 6), picture('7.png', 7)]);
  await expect(studio.counts.first()).toHaveText('5 pictures');
  await page.getByTestId('upload-input').first().setInputFiles({ name: 'cut.zip', mimeType: 'application/zip', buffer: archive.subarray(0, 90) });
  await expect(studio.error).toContainText('no zip archive');
  expect(seen.errors.filter((error) => !error.includes('cut.zip'))).toEqual([]);
});

test('a class takes ready-made pictures, leaves as a ZIP of its own, and there are two test sets', async ({ page }) => {
  await new Lab(page).open();
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  for (const [nth, key] of ['stripes', 'dots'].entries()) {
    // A class that has pictures offers none any more.
    await studio.classes.nth(nth).getByTestId('ready-made').selectOption(key);
    await expect(studio.counts.nth(nth)).toHaveText('60 pictures');
  }
  expect(await studio.names()).toEqual(['stripes', 'dots']);
  await studio.saved();
  await studio.classes.last().getByTestId('menu').click();
  const saving = page.waitForEvent('download');
  await page.getByTestId('export-class').click();
  const saved = await saving;
  expect(saved.suggestedFilename()).toBe('dots.zip');
  const archive = await readFile(await saved.path());

  await page.getByTestId('next').click();
  await page.getByTestId('train-epochs').fill('1');
  await page.getByTestId('train-epochs').press('Tab');
  await page.getByTestId('train-start').click();
  await page.getByTestId('train-judge').click();
  await expect(page.getByTestId('judge-accuracy')).toContainText('%');
  await expect(page.getByTestId('set-second-test')).toHaveCount(0);
  await page.getByTestId('test-draw').click();
  await expect(page.getByTestId('set-test')).toContainText('40');
  await page.getByTestId('second-test').click();
  await page.getByTestId('second-test-files-0-input').setInputFiles([1, 2].map((n) => ({ name: `${n}.png`, mimeType: 'image/png', buffer: stripes('flat', n) })));
  await expect(page.getByTestId('set-second-test')).toContainText('2');
  await page.getByTestId('set-second-test').click();
  await expect(page.getByTestId('judge-interval')).toContainText(/of 2 pictures/);
  await page.getByTestId('test-remove').click();
  await expect(page.getByTestId('set-test')).toBeDisabled();
  await page.getByTestId('undo').click();
  await expect(page.getByTestId('set-test')).toContainText('40');
  // None of it is learnt from.
  await studio.step('collect');
  await expect(studio.counts).toHaveText(['60 pictures', '60 pictures']);

  await page.getByTestId('all-projects').click();
  await page.getByTestId('new-project').click();
  await page.getByTestId('add-zip-input').setInputFiles({ name: 'dots.zip', mimeType: 'application/zip', buffer: archive });
  await expect(studio.counts).toHaveText(['60 pictures']);
  expect(await studio.names()).toEqual(['dots']);
});

test('every deletion can be undone, and a reload finds everything', async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('example-shapes').click();
  await expect(studio.counts).toHaveText(['60 pictures', '60 pictures', '60 pictures'], { timeout: 120_000 });
  await studio.saved();

  // A few of many tiles are in the document, and a range of them is deleted.
  const tiles = studio.classes.first().getByTestId('picture-tile');
  await tiles.first().click();
  await tiles.nth(4).click({ modifiers: ['Shift'] });
  await page.getByTestId('delete-selected').click();
  await expect(studio.counts.first()).toHaveText('55 pictures');
  await page.getByTestId('undo').click();
  await expect(studio.counts.first()).toHaveText('60 pictures');

  await tiles.first().click();
  await page.keyboard.press('Delete');
  await expect(studio.counts.first()).toHaveText('59 pictures');
  await page.keyboard.press('Control+z');
  await expect(studio.counts.first()).toHaveText('60 pictures');

  await tiles.first().click();
  await page.getByTestId('move-selected').selectOption({ label: 'square' });
  await expect(studio.counts).toHaveText(['59 pictures', '61 pictures', '60 pictures']);

  const last = studio.classes.last();
  await last.getByTestId('menu').click();
  await last.getByTestId('delete-class').click();
  await expect(studio.classes).toHaveCount(2);
  await page.getByTestId('undo').click();
  await expect(studio.classes).toHaveCount(3);

  await page.getByTestId('class-name').first().fill('square');
  await page.getByTestId('class-name').first().press('Tab');
  await expect(studio.classes.first()).toContainText('already');
  await page.getByTestId('class-name').first().fill('ring');
  await page.getByTestId('class-name').first().press('Tab');
  await studio.saved();

  await page.reload();
  await expect(studio.counts).toHaveText(['59 pictures', '61 pictures', '60 pictures']);
  expect(await studio.names()).toEqual(['ring', 'square', 'triangle']);
});

test('projects: a copy, a deletion undone, an archive into a clean browser', async ({ page, browser, baseURL }) => {
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  await page.getByTestId('project-name').fill('Stripes/1');
  await page.getByTestId('project-name').press('Tab');
  await page.getByTestId('upload-input').nth(0).setInputFiles([picture('a.png', 1), picture('b.png', 2)]);
  await page.getByTestId('upload-input').nth(1).setInputFiles([picture('a.png', 3, 'upright')]);
  await expect(studio.counts).toHaveText(['2 pictures', '1 picture']);
  await studio.saved();

  await page.getByTestId('all-projects').click();
  await page.getByRole('button', { name: 'Duplicate: Stripes/1' }).click();
  await expect(studio.projects).toHaveCount(2);
  await page.getByRole('button', { name: 'Delete: Stripes/1', exact: true }).click();
  await expect(studio.projects).toHaveCount(1);
  await page.getByTestId('undo').click();
  await expect(studio.projects).toHaveCount(2);

  const saving = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save as ZIP: Stripes/1', exact: true }).click();
  const download = await saving;
  expect(download.suggestedFilename()).toBe('Stripes_1.zip');
  const archive = await readFile(await download.path());

  const context = await browser.newContext({ baseURL, serviceWorkers: 'block' });
  const other = await context.newPage();
  const there = new Studio(other);
  await there.open();
  await other.getByTestId('import-project-input').setInputFiles({ name: 'Stripes_1.zip', mimeType: 'application/zip', buffer: archive });
  await expect(there.counts).toHaveText(['2 pictures', '1 picture']);
  await expect(other.getByTestId('project-name')).toHaveValue('Stripes/1');
  await expect(there.classes.first().locator('img')).toHaveCount(2);
  await context.close();
});

test('a project that is open in two tabs says so in both, and one goes on with it', async ({ page, context }) => {
  await new Studio(page).open();
  await page.getByTestId('new-project').click();
  const other = await context.newPage();
  await new Studio(other).open();
  const notices = [page, other].map((tab) => tab.getByTestId('elsewhere'));
  for (const notice of notices) await expect(notice).toBeVisible();

  await page.getByTestId('project-name').fill('Pets');
  await page.getByTestId('project-name').blur();
  await expect(page.getByTestId('saved')).toContainText('Saved');
  await other.getByTestId('take-over').click();
  await expect(other.getByTestId('project-name'), 'what the first tab wrote').toHaveValue('Pets');
  await expect(page.getByTestId('new-project'), 'the first tab has put it away').toBeVisible();
  await expect(notices[1]).toHaveCount(0);

  await page.getByTestId('open-project').first().click();
  for (const notice of notices) await expect(notice).toBeVisible();
  await page.getByTestId('all-projects').click();
  await expect(notices[1]).toHaveCount(0);
  await page.getByTestId('open-project').first().click();
  for (const notice of notices) await expect(notice).toBeVisible();
  await page.goto('about:blank');
  await expect(notices[1], 'nobody else has it any more').toHaveCount(0);

  await new Studio(page).open();
  await expect(notices[1]).toBeVisible();
  await page.getByTestId('all-projects').click();
  await page.getByTestId('delete-project').first().click();
  await expect(other.getByTestId('new-project'), 'what is deleted is not worked on elsewhere').toBeVisible();
});

test('the page speaks Chinese where the browser does, and changes when asked', async ({ browser, baseURL }) => {
  const context = await browser.newContext({ baseURL, locale: 'zh-CN', serviceWorkers: 'block' });
  const page = await context.newPage();
  const studio = new Studio(page);
  await studio.open();
  await expect(page.getByTestId('new-project')).toHaveText('新建项目');
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh');
  await page.getByTestId('new-project').click();
  await page.getByTestId('language').selectOption('en');
  // The same project, in other words.
  await expect(page.getByTestId('add-class')).toHaveText('Add a class');
  await page.reload();
  await expect(page.getByTestId('add-class')).toHaveText('Add a class');
  await context.close();
});

test('a language that cannot be fetched is told, the page stays in English, and can be asked again', async ({ browser, baseURL }) => {
  const context = await browser.newContext({ baseURL, locale: 'zh-CN', serviceWorkers: 'block' });
  const page = await context.newPage();
  const away = (route) => route.fulfill({ status: 404, contentType: 'text/html', body: '<!doctype html>not here' });
  await page.route('**/languages/*.json', away);
  await page.goto('/');
  await expect(page.getByTestId('screen-look')).toHaveText('Recognise');
  const language = page.getByTestId('language');
  await expect(language).toHaveValue('en');
  await language.selectOption('zh');
  await expect(page.getByTestId('language-fault')).toContainText('404');
  await expect(language).toHaveValue('en');
  await page.unroute('**/languages/*.json', away);
  await language.selectOption('zh');
  await expect(page.getByTestId('screen-look')).toHaveText('识别');
  await expect(page.getByTestId('language-fault')).toHaveCount(0);
  await context.close();
});
