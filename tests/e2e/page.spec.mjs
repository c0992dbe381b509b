// The page as a host would deliver it: it starts under a strict policy and stays small.

import { expect, test } from '@playwright/test';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { watch } from './pages/app.mjs';
import { Lab } from './pages/lab.mjs';

const dist = new URL('../../dist/', import.meta.url).pathname;

test('starts without an error, under a strict policy, asking no other host', async ({ page, baseURL }) => {
  const seen = watch(page);
  const started = page.waitForResponse((response) => response.url().endsWith('.wasm') && response.ok());
  await page.goto('/');
  await started;
  await page.waitForLoadState('networkidle');
  expect(seen.errors).toEqual([]);
  expect(seen.hosts()).toEqual([new URL(baseURL).host]);
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('says so in a browser without SIMD', async ({ page }) => {
  await page.addInitScript(() => {
    WebAssembly.validate = () => false;
  });
  await page.goto('/');
  await expect(page.getByRole('alert')).toContainText('no WebAssembly SIMD');
});

test('says itself which hosts it may ask, and allows no inline script and no eval', async ({ page }) => {
  await page.goto('/');
  const policy = await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute('content');
  const rules = Object.fromEntries(policy.split('; ').map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1)]));
  expect(rules['default-src']).toEqual(["'none'"]);
  expect(rules['script-src']).toEqual(["'self'", "'wasm-unsafe-eval'"]);
  const hosts = rules['connect-src'].filter((source) => source.startsWith('https:'));
  expect(hosts.every((host) => /^https:\/\/(\*\.)?(huggingface\.co|hf\.co)$/.test(host))).toBe(true);
  expect([rules['require-trusted-types-for'], rules['trusted-types']]).toEqual([["'script'"], ['default']]);
  // As a page's own script would try it; what the debugger evaluates is not held to the policy.
  const blocked = await page.evaluate(async () => {
    const refused = (act) => {
      try {
        act();
        return false;
      } catch (error) {
        return error instanceof TypeError;
      }
    };
    const script = document.createElement('script');
    const found = {
      text: refused(() => (script.textContent = 'globalThis.ran = true')),
      timer: refused(() => setTimeout('globalThis.ran = true')),
      foreign: refused(() => (script.src = 'https://example.org/a.js')),
      worker: refused(() => new Worker('https://example.org/a.js')),
      handler: refused(() => (document.createElement('div').innerHTML = '<img src=x onerror="globalThis.ran = true">')),
      tag: refused(() => (document.createElement('div').innerHTML = '<script>1</script>')),
      plain: refused(() => (document.createElement('div').innerHTML = '<b>words</b>')),
    };
    // What a policy does not know of is the other one's to stop.
    const inline = new Promise((done) => document.addEventListener('securitypolicyviolation', (event) => event.blockedURI === 'inline' && done()));
    const link = document.createElement('a');
    link.href = 'javascript:globalThis.ran = true';
    link.click();
    await inline;
    return { found, ran: globalThis.ran };
  });
  expect(blocked).toEqual({
    found: { text: true, timer: true, foreign: true, worker: true, handler: true, tag: true, plain: false },
    ran: undefined,
  });
});

test('has WebGPU here, so that the other tests mean something', async ({ page }) => {
  await page.goto('/');
  const adapter = await page.evaluate(async () => {
    const adapter = await navigator.gpu?.requestAdapter();
    return adapter && { vendor: adapter.info.vendor, invocations: adapter.limits.maxComputeInvocationsPerWorkgroup };
  });
  expect(adapter, 'no WebGPU adapter: Chromium needs --enable-unsafe-webgpu on a machine without a GPU').toBeTruthy();
  expect(adapter.invocations).toBeGreaterThanOrEqual(256);
});

// As a host that compresses delivers it, without weights; docs/performance.md says where it goes. The first is what there is to fetch before
// the page recognises; each part comes when it is used first, with what it shares with others.
const LIMITS = {
  first: 500_000,
  studio: 550_000,
  camera: 180_000,
  training: 230_000,
  benchmark: 150_000,
  files: 250_000,
  // With what it shares with `files`, TensorFlow's readers among it.
  keras: 310_000,
  pictures: 180_000,
  export: 150_000,
  processor: 150_000,
  // A visitor who does not read English fetches one of these before the page shows.
  languages: 15_000,
  // reslab.js, before it opens anything but safetensors: for other pages.
  module: 350_000,
};

test('does not grow: gzipped size without weights', async () => {
  const files = await readdir(dist, { recursive: true, withFileTypes: true });
  const weights = /\.(safetensors|pth|pt|onnx|bin)$/;
  // The ES module, which has limits of its own, what it fetches later, and its example: no visitor of the page asks for them.
  const module = /^reslab(-bindings(_bg)?|-parts)?\.(js|wasm)$/;
  const forOthers = /^(reslab\.d\.ts|reslab-part-.+|example\.\w+)$/;
  const kinds = {};
  const sizes = Object.fromEntries(Object.keys(LIMITS).map((part) => [part, 0]));
  for (const file of files) {
    if (!file.isFile() || weights.test(file.name) || forOthers.test(file.name)) continue;
    const size = gzipSync(await readFile(join(file.parentPath ?? file.path, file.name)), { level: 9 }).length;
    // `part-files-studio-HASH.wasm` comes with either.
    const [, parts] = /^part-(.+)-[0-9a-f]+\.wasm$/.exec(file.name) ?? [];
    if (parts) {
      for (const part of parts.split('-')) sizes[part] += size;
      continue;
    }
    const other = ['processor', 'module'].find((part) => ({ processor: /processor/, module })[part].test(file.name));
    if (other) {
      sizes[other] += size;
      continue;
    }
    if (/languages$/.test(file.parentPath ?? file.path)) {
      sizes.languages = Math.max(sizes.languages, size);
      continue;
    }
    const kind = extname(file.name);
    kinds[kind] = (kinds[kind] ?? 0) + size;
    sizes.first += size;
  }
  const kb = (bytes) => `${(bytes / 1000).toFixed(0)} KB`;
  const parts = Object.entries(sizes).map(([part, size]) => `${part} ${kb(size)} of ${kb(LIMITS[part])}`);
  console.log(`dist, gzipped: ${parts.join(', ')}; the first: ${Object.entries(kinds).map(([kind, size]) => `${kind} ${kb(size)}`).join(', ')}`);
  for (const [part, limit] of Object.entries(LIMITS)) {
    expect(sizes[part], part).toBeGreaterThan(0);
    expect(sizes[part], part).toBeLessThanOrEqual(limit);
  }
});

test('recognises without the studio, and says so when that cannot be fetched', async ({ page }) => {
  const asked = [];
  page.on('request', (request) => {
    if (/\/part-[\w-]+\.wasm/.test(request.url())) asked.push(request.url());
  });
  let broken = true;
  await page.route(/\/part-[\w-]+\.wasm/, (route) => (broken ? route.abort() : route.continue()));
  const lab = new Lab(page);
  await lab.open();
  await page.getByTestId('sample').first().click();
  await expect(lab.best).toBeVisible();
  expect(asked, 'nothing of it is asked for before it is needed').toEqual([]);

  await page.getByTestId('screen-teach').click();
  const failed = page.getByTestId('later-failed');
  await expect(failed).toContainText('could not be loaded');
  broken = false;
  await failed.getByRole('button').click();
  await expect(page.getByTestId('studio')).toBeVisible();
  await page.getByTestId('screen-look').click();
  await expect(lab.best, 'what was there is there still').toBeVisible();
});
