// Work is never lost: what happens to projects when the browser's storage dies, is full, is newer than the page, does not answer or is not
// there at all. docs/reliability.md says what each of these protects against.

import { expect, test } from '@playwright/test';
import { readFile } from 'node:fs/promises';
import { Lab } from './pages/lab.mjs';
import { stripes } from './pages/pictures.mjs';
import { Studio, zip } from './pages/studio.mjs';
import { accept, contents, database, keepConnections, refuse } from './pages/vault.mjs';

const picture = (name, seed, kind = 'flat') => ({ name, mimeType: 'image/png', buffer: stripes(kind, seed) });
const unsaved = (page) => page.getByTestId('unsaved');

/** A new project with one picture, written. */
async function project(page) {
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  await page.getByTestId('upload-input').first().setInputFiles(picture('1.png', 1));
  await expect(studio.counts.first()).toHaveText('1 picture');
  await studio.saved();
  return studio;
}

async function rename(page, name, nth = 0) {
  await page.getByTestId('class-name').nth(nth).fill(name);
  await page.getByTestId('class-name').nth(nth).press('Tab');
}

test('a connection that dies is opened again, and the write repeated', async ({ page }) => {
  await keepConnections(page);
  const studio = await project(page);
  const kill = (how) =>
    page.evaluate((how) => {
      for (const connection of globalThis.connections.splice(0)) {
        connection.close();
        if (how === 'told') connection.dispatchEvent(new Event('close'));
      }
    }, how);
  await kill('silent');
  await rename(page, 'ring');
  await page.getByTestId('upload-input').first().setInputFiles(picture('2.png', 2));
  await expect(studio.counts.first()).toHaveText('2 pictures');
  await studio.saved();
  await kill('told');
  await page.getByTestId('upload-input').first().setInputFiles(picture('3.png', 3));
  await expect(studio.counts.first()).toHaveText('3 pictures');
  await studio.saved();
  // A transaction that is broken off by the browser, once.
  await refuse(page, { times: 1, reason: '' });
  await rename(page, 'disc', 1);
  await studio.saved();
  await expect(unsaved(page)).toHaveCount(0);
  await expect(studio.error).toHaveCount(0);
  await page.reload();
  await expect(studio.counts.first()).toHaveText('3 pictures');
  expect(await studio.names()).toEqual(['ring', 'disc']);
});

test('without room every change says that it is not saved, can be downloaded, and is written when there is room', async ({ page }) => {
  const studio = await project(page);
  const before = await contents(page);
  await refuse(page);
  const changes = {
    rename: () => rename(page, 'ring'),
    'add a class': () => page.getByTestId('add-class').click(),
    upload: () => page.getByTestId('upload-input').nth(1).setInputFiles(picture('2.png', 2, 'upright')),
    move: async () => {
      await studio.classes.first().getByTestId('picture-tile').click();
      await page.getByTestId('move-selected').selectOption({ label: 'Class 2' });
    },
    'delete a class': async () => {
      await studio.classes.last().getByTestId('menu').click();
      await page.getByTestId('delete-class').click();
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    await change();
    await expect(page.getByTestId('saved'), what).toHaveText('Not saved');
    await expect(unsaved(page), what).toContainText('no room left');
  }
  expect(await contents(page), 'nothing is half written').toEqual(before);
  await expect(studio.counts.nth(1)).toHaveText('2 pictures');
  // What is not in the browser's storage can be taken away all the same.
  const saving = page.waitForEvent('download');
  await page.getByTestId('download-now').click();
  const archive = await readFile(await (await saving).path());
  expect(archive.includes('Class 2/2.png') && archive.includes('Class 2/1.png')).toBe(true);
  // Still no room: still not saved.
  await page.getByTestId('save-again').click();
  await expect(page.getByTestId('saved')).toHaveText('Not saved');

  await accept(page);
  await page.getByTestId('save-again').click();
  await expect(unsaved(page)).toHaveCount(0);
  await expect(page.getByTestId('saved')).toContainText('Saved');
  await page.reload();
  await expect(studio.counts).toHaveText(['0 pictures', '2 pictures']);
  expect(await studio.names()).toEqual(['ring', 'Class 2']);
});

test('of what cannot be made whole nothing is left: a copy, an import, many pictures', async ({ page }) => {
  const studio = await project(page);
  const many = Array.from({ length: 6 }, (_, i) => picture(`m${i}.png`, 20 + i));
  await page.getByTestId('all-projects').click();
  const saving = page.waitForEvent('download');
  await page.getByTestId('export-project').click();
  const archive = await readFile(await (await saving).path());
  const before = await contents(page);
  // As on a disk that fills up.
  await refuse(page, { store: 'files' });
  await page.getByRole('button', { name: /^Duplicate/ }).click();
  await expect(studio.error).toContainText('no room left');
  await expect(studio.projects).toHaveCount(1);
  expect(await contents(page), 'no part of a copy').toEqual(before);
  await page.getByTestId('import-project-input').setInputFiles({ name: 'p.zip', mimeType: 'application/zip', buffer: archive });
  await expect(page.getByTestId('adding')).toHaveCount(0);
  await expect(studio.projects).toHaveCount(1);
  expect(await contents(page), 'no part of an import').toEqual(before);

  await page.getByTestId('open-project').click();
  await refuse(page, { store: 'files', after: 2 });
  await page.getByTestId('upload-input').first().setInputFiles(many);
  await expect(unsaved(page)).toContainText('no room left');
  await expect(studio.skipped).toContainText('3 files were not added');
  // The two that were written, the one before, and the one that waits.
  await expect(studio.counts.first()).toHaveText('4 pictures');
  await accept(page);
  await page.getByTestId('save-again').click();
  await expect(unsaved(page)).toHaveCount(0);
  await page.reload();
  await expect(studio.counts.first()).toHaveText('4 pictures');
});

test('a newer database is left alone, in a page that opens and in one that is open', async ({ page, context }) => {
  const studio = await project(page);
  const other = await context.newPage();
  await other.goto('/models/');
  const upgrade = (tab, version) =>
    tab.evaluate(
      ([name, version]) =>
        new Promise((done, fail) => {
          const request = indexedDB.open(name, version);
          request.onsuccess = () => done(request.result.close());
          request.onerror = () => fail(request.error);
          request.onblocked = () => fail(new Error('blocked'));
        }),
      [database(), version],
    );
  await upgrade(other, 2);
  await expect(unsaved(page)).toContainText('A newer version of this page was here');
  await rename(page, 'ring');
  await expect(page.getByTestId('saved')).toHaveText('Not saved');
  page.on('dialog', (dialog) => dialog.accept());
  await page.getByTestId('reload').click();
  await expect(page.getByTestId('storage-newer')).toContainText('Reload the page');
  await expect(page.getByTestId('new-project')).toHaveCount(0);
  // There is a way on without it.
  await page.getByTestId('go-without').click();
  await page.getByTestId('new-project').click();
  await expect(studio.classes).toHaveCount(2);
  await expect(page.getByTestId('memory-only')).toBeVisible();
});

test('a storage that never answers is told, and one works on without it', async ({ page }) => {
  await page.addInitScript(() => {
    IDBFactory.prototype.open = () => new EventTarget();
  });
  const studio = new Studio(page);
  await studio.open();
  await expect(page.getByTestId('storage-late')).toContainText('does not answer');
  await page.getByTestId('go-without').click();
  await page.getByTestId('new-project').click();
  await expect(studio.classes).toHaveCount(2);
  await expect(page.getByTestId('saved')).toHaveText('Only in this tab');
});

test('without any storage projects live in memory: collected, trained, taken away', async ({ page }) => {
  await page.addInitScript(() => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }));
  await new Lab(page).open();
  const studio = new Studio(page);
  await studio.open();
  await expect(page.getByTestId('memory-only')).toContainText('end with this tab');
  await page.getByTestId('new-project').click();
  const pets = zip({ 'cat/1.png': stripes('flat', 1), 'cat/2.png': stripes('flat', 2), 'dog/3.png': stripes('upright', 3), 'dog/4.png': stripes('upright', 4) });
  await page.getByTestId('add-zip-input').setInputFiles({ name: 'pets.zip', mimeType: 'application/zip', buffer: pets });
  await expect(studio.counts).toHaveText(['2 pictures', '2 pictures']);
  await expect(studio.classes.first().locator('img')).toHaveCount(2);
  await studio.step('train');
  await page.getByTestId('train-epochs').fill('1');
  await page.getByTestId('train-epochs').press('Tab');
  await page.getByTestId('train-start').click();
  await expect(page.getByTestId('train-words')).toContainText('Done after 1 epoch.');
  await page.getByTestId('all-projects').click();
  await page.getByTestId('open-project').click();
  await expect(studio.counts).toHaveText(['2 pictures', '2 pictures']);
  const saving = page.waitForEvent('download');
  await page.getByTestId('download-now').click();
  const archive = await readFile(await (await saving).path());
  expect(['cat/1.png', 'dog/4.png', 'checkpoint.safetensors'].every((name) => archive.includes(name))).toBe(true);
});

test('an undo is offered while it can be kept, also beside other tabs; what another tab deletes is gone from the list', async ({ page, context }) => {
  await project(page);
  await page.getByTestId('all-projects').click();
  await page.getByTestId('delete-project').click();
  await expect(page.getByTestId('undo-toast')).toBeVisible();
  const other = await context.newPage();
  const there = new Studio(other);
  await there.open();
  await expect(other.getByTestId('new-project')).toBeVisible();
  await expect(there.projects).toHaveCount(0);
  await page.getByTestId('undo').click();
  await page.getByTestId('open-project').click();
  await expect(page.getByTestId('class').first().locator('img')).toHaveCount(1);
  await expect(there.projects, 'and it is in the list of the other tab').toHaveCount(1);

  // Deleted there while it is in the list here.
  await page.getByTestId('all-projects').click();
  await other.getByTestId('delete-project').click();
  await expect(new Studio(page).projects).toHaveCount(0);
  // The last tab that could bring it back is closed: it leaves for good when the page is opened next.
  await other.close();
  await page.reload();
  await expect(page.getByTestId('new-project')).toBeVisible();
  await expect.poll(async () => (await contents(page)).pictures.length).toBe(0);
});

test('what is typed counts when the page is put away, and what was deleted stays deleted', async ({ page }) => {
  const studio = await project(page);
  await page.getByTestId('class-name').first().fill('typed');
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  });
  await studio.saved();
  await expect.poll(async () => JSON.parse((await contents(page)).projects[0][1]).classes[0].name).toBe('typed');
  await page.getByTestId('class-name').nth(1).fill('left');
  await page.goto('about:blank');
  await studio.open();
  await expect.poll(() => studio.names()).toEqual(['typed', 'left']);
});

test('Safari says after how many days it forgets, other browsers do not', async ({ page, browser, baseURL }) => {
  await new Studio(page).open();
  await expect(page.getByTestId('space')).toBeVisible();
  await expect(page.getByTestId('seven-days')).toHaveCount(0);
  const context = await browser.newContext({ baseURL, serviceWorkers: 'block' });
  await context.addInitScript(() => Object.defineProperty(Navigator.prototype, 'vendor', { get: () => 'Apple Computer, Inc.' }));
  const safari = await context.newPage();
  await new Studio(safari).open();
  await expect(safari.getByTestId('seven-days')).toContainText('seven days');
  await context.close();
});

test('a large project goes into a file that was chosen, part by part', async ({ page }) => {
  const studio = await project(page);
  const MEBI = 1 << 20;
  await page.evaluate(
    async ([name, size]) => {
      globalThis.written = { parts: 0, bytes: 0, largest: 0, state: '' };
      globalThis.showSaveFilePicker = async ({ suggestedName }) => {
        globalThis.written.name = suggestedName;
        return {
          createWritable: async () => ({
            write: async (part) => {
              const bytes = part.size ?? part.byteLength;
              globalThis.written.parts += 1;
              globalThis.written.bytes += bytes;
              // A blob is a reference to what lies on the disk.
              if (!(part instanceof Blob)) globalThis.written.largest = Math.max(globalThis.written.largest, bytes);
            },
            close: async () => (globalThis.written.state = 'closed'),
            abort: async () => (globalThis.written.state = 'aborted'),
          }),
        };
      };
      const done = (request) => new Promise((done, fail) => ((request.onsuccess = () => done(request.result)), (request.onerror = () => fail(request.error))));
      const database = await done(indexedDB.open(name));
      const [project] = await done(database.transaction('projects').objectStore('projects').getAllKeys());
      const checkpoint = new Blob([new Uint8Array(size).fill(7)]);
      await done(database.transaction('runs', 'readwrite').objectStore('runs').put({ id: 5, checkpoint, history: '{}' }, [project, 5]));
      database.close();
    },
    [database(), 300 * MEBI],
  );
  const heap = async () => {
    const session = await page.context().newCDPSession(page);
    await session.send('HeapProfiler.collectGarbage');
    const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = await session.send('Runtime.getHeapUsage');
    await session.detach();
    return usedSize + embedderHeapUsedSize + backingStorageSize;
  };
  const before = await heap();
  await page.getByTestId('all-projects').click();
  await page.getByTestId('export-project').click();
  await expect.poll(() => page.evaluate(() => globalThis.written.state)).toBe('closed');
  const written = await page.evaluate(() => globalThis.written);
  const more = (await heap()) - before;
  console.log(`an archive of ${(written.bytes / MEBI).toFixed(0)} MiB in ${written.parts} parts; largest held ${(written.largest / 1024).toFixed(0)} KiB, memory ${(more / MEBI).toFixed(0)} MiB more`);
  expect(written.name).toBe('My project.zip');
  expect(written.bytes).toBeGreaterThan(300 * MEBI);
  expect(written.largest).toBeLessThan(MEBI);
  expect(more, 'far less than the archive').toBeLessThan(100 * MEBI);
  await expect(studio.error).toHaveCount(0);
});
