// The test server itself: what the hub mirror and the page's loading rest on.

import { expect, test } from '@playwright/test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from './server.mjs';

let dir;
let server;

test.beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reslab-'));
  await writeFile(join(dir, 'model.safetensors'), Buffer.from('0123456789'));
  await writeFile(join(dir, 'empty.bin'), '');
  server = await serve({ root: dir, mounts: { '/hub': dir }, open: true });
});

test.afterAll(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});

const get = (path, headers = {}) => fetch(server.url + path, { headers });

test('serves ranges as a model hub does', async () => {
  const whole = await get('/hub/model.safetensors');
  expect(whole.status).toBe(200);
  expect(whole.headers.get('accept-ranges')).toBe('bytes');
  expect(await whole.text()).toBe('0123456789');

  const rest = await get('/hub/model.safetensors', { range: 'bytes=4-' });
  expect(rest.status).toBe(206);
  expect(rest.headers.get('content-range')).toBe('bytes 4-9/10');
  expect(await rest.text()).toBe('456789');
  expect(await (await get('/model.safetensors', { range: 'bytes=2-4' })).text()).toBe('234');
  expect(await (await get('/model.safetensors', { range: 'bytes=-3' })).text()).toBe('789');
  expect((await get('/model.safetensors', { range: 'bytes=10-' })).status).toBe(416);
});

test('answers a resumed download of a changed file with the whole file', async () => {
  const etag = (await get('/model.safetensors')).headers.get('etag');
  expect((await get('/model.safetensors', { range: 'bytes=4-', 'if-range': etag })).status).toBe(206);
  expect((await get('/model.safetensors', { range: 'bytes=4-', 'if-range': '"other"' })).status).toBe(200);
});

test('serves empty files and nothing outside its folder', async () => {
  const empty = await get('/empty.bin');
  expect(empty.status).toBe(200);
  expect(await empty.text()).toBe('');
  expect((await get('/nothing.bin')).status).toBe(404);
  // Sent as it stands: fetch() would tidy the dots away.
  const { port } = new URL(server.url);
  const status = await new Promise((done, fail) => {
    httpRequest({ port, host: '127.0.0.1', path: '/..%2f..%2f..%2f..%2fetc%2fhostname' }, (response) => {
      response.resume();
      done(response.statusCode);
    })
      .on('error', fail)
      .end();
  });
  expect(status).toBe(404);
});
