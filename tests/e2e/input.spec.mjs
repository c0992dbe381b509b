// What people give the page in other ways than it asks for: words in the clipboard, addresses, empty folders, a double click on the file;
// and what strangers have put into files.

import { expect, test } from '@playwright/test';
import { watch } from './pages/app.mjs';
import { Lab, file, picture } from './pages/lab.mjs';
import { png, stripes } from './pages/pictures.mjs';
import { Studio, zip } from './pages/studio.mjs';

const dist = new URL('../../dist/', import.meta.url);

/** Puts a text on the clipboard, and a picture of it beside it, as a spreadsheet does. */
const copyCells = (page, text) =>
  page.evaluate(async (text) => {
    const canvas = new OffscreenCanvas(40, 20);
    canvas.getContext('2d').fillRect(0, 0, 20, 20);
    const kinds = { 'text/plain': new Blob([text], { type: 'text/plain' }), 'image/png': await canvas.convertToBlob() };
    await navigator.clipboard.write([new ClipboardItem(kinds)]);
  }, text);

test('a paste into a field is the field’s, text beside a picture is text, and no other screen hears of it', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const lab = new Lab(page);
  const studio = new Studio(page);
  await lab.open();
  await studio.open();
  await page.getByTestId('new-project').click();
  await copyCells(page, 'Maple');
  const name = page.getByTestId('class-name').first();
  await name.focus();
  await name.fill('');
  await page.keyboard.press('Control+v');
  await expect(name).toHaveValue('Maple');
  await name.press('Tab');
  await page.keyboard.press('Control+v');
  await expect(studio.counts).toHaveText(['0 pictures', '0 pictures']);
  await expect(studio.error).toHaveCount(0);

  await page.getByTestId('screen-benchmark').click();
  await page.getByTestId('bench-size').focus();
  await page.keyboard.press('Control+v');
  await page.getByTestId('screen-look').click();
  await expect(lab.zone).toBeVisible();
  await expect(lab.pictureError).toHaveCount(0);
  // Where nothing takes text, the cells are no picture either.
  await page.locator('body').press('Control+v');
  await expect(lab.pictureError).toContainText('no picture');
  await expect(lab.best).toHaveCount(0);
  // A file manager puts the file's name beside the file.
  const { buffer } = await picture('frog');
  await page.evaluate((base64) => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], 'my frog.webp', { type: 'image/webp' }));
    clipboardData.setData('text/plain', 'my frog.webp');
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  }, buffer.toString('base64'));
  await expect(lab.fileName).toHaveText('my frog.webp');
});

/** Drops what a browser gives for a link or a picture of another page. */
const dropAddress = (page) =>
  page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.setData('text/uri-list', 'https://example.org/cat.jpg');
    dataTransfer.setData('text/html', '<img src="https://example.org/cat.jpg">');
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
  });

/** Drops a folder without a file. */
const dropEmptyFolder = (page) =>
  page.evaluate(() => {
    const entries = { readEntries: (done) => done([]) };
    const folder = { isDirectory: true, isFile: false, name: 'holiday', fullPath: '/holiday', createReader: () => entries };
    DataTransferItem.prototype.webkitGetAsEntry = () => folder;
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([], 'holiday'));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
  });

test('an address and an empty folder are answered on every screen', async ({ page }) => {
  const lab = new Lab(page);
  const studio = new Studio(page);
  await lab.open();
  const both = async (where) => {
    await dropAddress(page);
    await expect(where).toContainText('save the picture on this device first');
    await dropEmptyFolder(page);
    await expect(where).toContainText('holiday: The folder is empty');
    await where.getByRole('button').click();
    await expect(where).toHaveCount(0);
  };
  await both(lab.pictureError);
  await studio.open();
  await page.getByTestId('new-project').click();
  for (const step of ['collect', 'train', 'judge', 'live', 'export']) {
    await studio.step(step);
    await both(studio.error);
  }
  await page.getByTestId('all-projects').click();
  await dropAddress(page);
  await expect(studio.error).toBeVisible();
  // The benchmark takes nothing at all, and says where it belongs.
  await page.getByTestId('screen-benchmark').click();
  await expect(page.getByTestId('benchmark')).toBeVisible();
  await dropAddress(page);
  await expect(page.getByTestId('bench-error')).toContainText('takes no files');
});

test('files of networks are never taken for pictures', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  for (const name of ['net.pth.tar', 'net.h5', 'net.onnx', 'net.keras', 'net.npz', 'NET.ONNX']) {
    await lab.drop(file(name, '', 'nothing of the kind'));
    await expect(lab.modelError, name).toContainText(name);
    await expect(lab.pictureError, name).toHaveCount(0);
    await lab.modelError.getByRole('button').click();
  }
  await expect(lab.tiles).toHaveCount(0);
});

test('folders are offered where folders work', async ({ page, context }) => {
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  await expect(page.getByTestId('add-folder')).toBeVisible();
  const other = await context.newPage();
  await other.addInitScript(() => delete HTMLInputElement.prototype.webkitdirectory);
  await new Studio(other).open(); // in the same project
  await expect(other.getByTestId('add-zip')).toBeVisible();
  await expect(other.getByTestId('add-folder')).toHaveCount(0);
});

test('opened as a file, in a sandbox or where modules do not load, the page says what to do', async ({ page, baseURL }) => {
  await page.goto(new URL('index.html', dist).href);
  await expect(page.locator('body')).toContainText('must come from a web server', { useInnerText: true });
  await expect(page.locator('#start')).toBeVisible();

  // As a host delivers it that does not forbid frames.
  await page.route(/\/framed\.html$/, (route) => route.fulfill({ contentType: 'text/html', body: '<iframe sandbox="allow-scripts" src="/"></iframe>' }));
  await page.route(`${baseURL}/`, async (route) => {
    const answer = await route.fetch();
    const { 'content-security-policy': _, ...headers } = answer.headers();
    await route.fulfill({ response: answer, headers });
  });
  await page.goto('/framed.html');
  await expect(page.frameLocator('iframe').getByText('Open it in a tab of its own')).toBeVisible();
  await page.unrouteAll();

  await page.route(/boot\.js$/, (route) => route.abort());
  await page.goto('/');
  await expect(page.locator('#start')).toContainText('Chrome or Edge 91', { useInnerText: true });
  await page.unrouteAll();
  await new Lab(page).open();
  await expect(page.locator('#start')).toHaveCount(0);
});

test('a clock with coarse steps never shows 0.00 ms', async ({ page }) => {
  await page.addInitScript(() => {
    const exact = performance.now.bind(performance);
    Performance.prototype.now = () => Math.floor(exact() / 1000) * 1000;
  });
  const lab = new Lab(page);
  await lab.open();
  for (const name of ['cat', 'dog', 'frog']) {
    await lab.choose(await picture(name));
    await expect(lab.fileName).toHaveText(`${name}.webp`);
    await expect(page.getByTestId('ms')).toHaveText(/^(< 1 ms|[1-9]\d* s|\d\.\d\d s)$/);
  }
});

const MARKUP = '<img src=x onerror="globalThis.hacked=true"><script>globalThis.hacked=true</script>';

test('what strangers put into a project is shown as text or refused', async ({ page }) => {
  const seen = watch(page);
  const studio = new Studio(page);
  await studio.open();
  const names = [MARKUP, `\u001b[31m\u202e${'b'.repeat(10_000_000)}`];
  const manifest = {
    format: 'reslab-project',
    version: 1,
    project: {
      id: 1,
      name: MARKUP,
      created_ms: 0,
      changed_ms: 0,
      classes: names.map((name, id) => ({ id, name, colour: 200 + id, enabled: true })),
      next_class: 0,
    },
    pictures: ['../../etc/a.png', 'b/1.png', 'b/absent.png'].map((path, id) => ({
      path, id, project: 1, class: id % 2, name: `${MARKUP}${id}.png`, width: 9, height: 9, bytes: 9, kind: 'text/html', digest: `${id}`, crc32: 0,
    })),
  };
  const pictures = { '../../etc/a.png': png(8, 8, () => [1, 2, 3]), 'b/1.png': stripes('flat', 1) };
  const archive = (text) => ({ name: 'p.zip', mimeType: 'application/zip', buffer: zip({ 'project.json': Buffer.from(text), ...pictures }) });
  const input = page.getByTestId('import-project-input');
  await input.setInputFiles(archive(JSON.stringify({ ...manifest, project: { name: MARKUP } })));
  await expect(studio.error).toContainText('no project that can be read');
  await expect(studio.error, 'no words of a parser').not.toContainText(/line \d|missing field/);
  await studio.error.getByRole('button').click();
  await input.setInputFiles(archive(JSON.stringify(manifest)));
  await expect(studio.counts).toHaveText(['1 picture', '1 picture']);
  await expect(page.getByTestId('project-name')).toHaveValue(MARKUP.slice(0, 80));
  const [first, second] = await studio.names();
  expect(first).toBe(MARKUP.slice(0, 80));
  expect(second).toMatch(/^\[31mb{76}$/);
  await expect(studio.skipped).toContainText('1 file');
  // Every screen that shows names.
  for (const step of ['train', 'judge', 'live', 'export']) {
    await studio.step(step);
    await expect(page.locator('main')).toBeVisible();
  }
  expect(await page.evaluate(() => [globalThis.hacked, document.querySelectorAll('main script, img[src=x]').length])).toEqual([undefined, 0]);
  expect(seen.errors.filter((error) => !error.includes('project.json'))).toEqual([]);
});

test('the classes of a stranger\'s label file are text of bearable length', async ({ page }) => {
  const seen = watch(page);
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  const cell = (text) => `"${text.replaceAll('"', '""')}"`;
  const table = `path,label\npics/1.png,${cell(MARKUP)}\npics/2.png,${cell(`\u001b[31m\u202e${'b'.repeat(1_000_000)}`)}\n`;
  const set = { 'labels.csv': Buffer.from(table), 'pics/1.png': stripes('flat', 1), 'pics/2.png': stripes('upright', 2) };
  await page.getByTestId('add-zip-input').setInputFiles({ name: 'set.zip', mimeType: 'application/zip', buffer: zip(set) });
  await expect(studio.counts).toHaveText(['1 picture', '1 picture']);
  // In byte order.
  const [second, first] = await studio.names();
  expect(first).toBe(MARKUP.slice(0, 80));
  expect(second).toMatch(/^\[31mb{76}$/);
  expect(await page.evaluate(() => [globalThis.hacked, document.querySelectorAll('main script, img[src=x]').length])).toEqual([undefined, 0]);
  expect(seen.errors).toEqual([]);
});

test('an archive that unpacks to more than it says is refused, and takes no more than that', async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  const bomb = zip({ 'cat/1.png': Buffer.alloc(200_000_000) });
  // The directory says 100 bytes.
  const size = (at) => bomb.writeUInt32LE(100, at);
  size(22);
  size(bomb.indexOf('PK\x01\x02', 0, 'latin1') + 24);
  await page.getByTestId('add-zip-input').setInputFiles({ name: 'bomb.zip', mimeType: 'application/zip', buffer: bomb });
  await expect(studio.skipped).toContainText('1 file');
  await studio.skipped.locator('summary').click();
  await expect(studio.skipped).toContainText('unpacks to more than it says');
});
