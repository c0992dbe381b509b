// After the first visit the page needs no network, and a new version is taken when the person says so.

import { expect, test } from '@playwright/test';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from './pages/lab.mjs';
import { Studio } from './pages/studio.mjs';
import { contents, database } from './pages/vault.mjs';
import { serve } from './server.mjs';

test.use({ serviceWorkers: 'allow' });

let dir;
let server;

test.beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reslab-offline-'));
  await cp(new URL('../../dist', import.meta.url).pathname, dir, { recursive: true });
  server = await serve({ root: dir });
});

test.afterEach(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});

const controlled = (page) => page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated');

test('classifies and keeps projects without a network', async ({ page }) => {
  await page.goto(server.url);
  await controlled(page);
  await server.close();

  await page.reload();
  const lab = new Lab(page);
  await lab.modelName.waitFor();
  await page.getByTestId('sample').first().click();
  await expect(lab.best).toBeVisible();

  await page.getByTestId('screen-teach').click();
  await page.getByTestId('new-project').click();
  await expect(page.getByTestId('class')).toHaveCount(2);
});

test('a new version waits until it is wanted, and then is whole', async ({ page }) => {
  await page.goto(server.url);
  await controlled(page);

  const worker = await readFile(join(dir, 'sw.js'), 'utf8');
  await writeFile(join(dir, 'sw.js'), worker.replace(/VERSION = '/, "VERSION = 'next-"));
  const html = await readFile(join(dir, 'index.html'), 'utf8');
  await writeFile(join(dir, 'index.html'), html.replace(/name="description" content="[^"]*"/, 'name="description" content="The next version"'));
  await page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).update());

  await expect(page.getByTestId('newer')).toBeVisible();
  // The page names its own title.
  const described = page.locator('meta[name=description]');
  await page.reload();
  await expect(described).not.toHaveAttribute('content', 'The next version');
  await page.getByTestId('use-newer').click();
  await expect(described).toHaveAttribute('content', 'The next version');
  await expect.poll(() => page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith('reslab-app / ')).length)).toBe(1);
});

test('two copies on one site keep caches and projects apart, and what was there before them is found by both', async ({ page }) => {
  const next = await mkdtemp(join(tmpdir(), 'reslab-offline-'));
  await cp(dir, next, { recursive: true });
  const worker = await readFile(join(next, 'sw.js'), 'utf8');
  await writeFile(join(next, 'sw.js'), worker.replace(/VERSION = '/, "VERSION = 'next-"));
  const empty = await mkdtemp(join(tmpdir(), 'reslab-offline-'));
  const both = await serve({ root: empty, mounts: { '/a/': dir, '/b/': next } });
  try {
    // What a page left that knew of no other copy: a database and a cache for the whole site.
    await page.goto(`${both.url}/a/models/`);
    const fixture = JSON.parse(await readFile(new URL('fixtures/database-1.json', import.meta.url), 'utf8'));
    await page.evaluate(async (fixture) => {
      const done = (request) => new Promise((done, fail) => ((request.onsuccess = () => done(request.result)), (request.onerror = () => fail(request.error))));
      const open = indexedDB.open(fixture.name, fixture.version);
      open.onupgradeneeded = () => {
        for (const { name, indices } of fixture.stores) {
          const store = open.result.createObjectStore(name);
          for (const [index, path] of Object.entries(indices)) store.createIndex(index, path);
        }
      };
      const database = await done(open);
      const real = (value) => {
        if (value?.base64) return new Blob([Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0))], { type: value.type });
        return value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([key, value]) => [key, real(value)])) : value;
      };
      for (const { name, records } of fixture.stores) {
        for (const [key, value] of records) await done(database.transaction(name, 'readwrite').objectStore(name).put(real(value), key));
      }
      database.close();
      const cache = await caches.open('reslab-page-old');
      await cache.put(new URL('/b/index.html', location.href), new Response('old'));
    }, fixture);

    const studio = new Studio(page);
    const [a, b] = [`${both.url}/a/`, `${both.url}/b/`];
    await page.goto(a);
    await controlled(page);
    await studio.open(a);
    // The first copy goes on with it, under the name it has.
    await expect(studio.projects.or(studio.classes).first()).toBeVisible();
    await expect.poll(async () => (await contents(page, 'reslab')).projects.length).toBe(2);
    expect(await contents(page, database('/a/'))).toBeNull();
    await page.goto(`${b}#teach`);
    await controlled(page);
    await expect(page.getByTestId('elder')).toContainText(fixture.project);
    await expect(page.getByTestId('elder')).toContainText('/a/');
    await page.getByTestId('fetch-elder').click();
    await expect(studio.projects).toHaveCount(1);
    await expect(page.getByTestId('adding')).toHaveCount(0);
    await page.getByTestId('open-project').click();
    await expect(studio.counts).toHaveText(fixture.counts);
    await expect(studio.classes.first().locator('img').first()).toHaveJSProperty('complete', true);
    await page.getByTestId('all-projects').click();
    // What is deleted here is there still.
    await page.getByTestId('delete-project').click();
    await page.reload();
    await expect(page.getByTestId('new-project')).toBeVisible();
    await expect(studio.projects).toHaveCount(0);
    await expect(page.getByTestId('elder'), 'the offer is made once').toHaveCount(0);

    // Each has its cache, and the elder one of the second copy is gone with its worker.
    const names = await page.evaluate(() => caches.keys());
    expect(names.filter((name) => name.startsWith('reslab-app /a/ '))).toHaveLength(1);
    expect(names.filter((name) => name.startsWith('reslab-app /b/ '))).toHaveLength(1);
    expect(names).not.toContain('reslab-page-old');
    await both.close();
    await page.goto(`${a}#teach`);
    await expect(page.getByTestId('studio')).toBeVisible();
    await page.getByTestId('open-project').click();
    await expect(studio.counts).toHaveText(fixture.counts);
  } finally {
    await both.close().catch(() => {});
    for (const folder of [next, empty]) await rm(folder, { recursive: true });
  }
});
