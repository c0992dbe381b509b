// After the first visit the page needs no network, and a new version is taken when the person says so.

import { expect, test } from '@playwright/test';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from './pages/lab.mjs';
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
