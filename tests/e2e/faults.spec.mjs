// A device that goes away, and one that allows little: work goes on, or a sentence says what to do. With WebGPU on a software adapter.

import { readFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { watch } from './pages/app.mjs';
import { Lab, picture } from './pages/lab.mjs';
import { stripes } from './pages/pictures.mjs';
import { Studio } from './pages/studio.mjs';

test.describe.configure({ timeout: 480_000 });

/** Devices are kept, so that a test can destroy the one in use: now, or at a submission from now. */
const keepDevices = (page) =>
  page.addInitScript(() => {
    globalThis.devices = [];
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...options) {
      const device = await request.apply(this, options);
      globalThis.devices.push(device);
      return device;
    };
    let left = Infinity;
    const submit = GPUQueue.prototype.submit;
    GPUQueue.prototype.submit = function (...buffers) {
      submit.apply(this, buffers);
      left -= 1;
      if (left === 0) globalThis.devices.at(-1).destroy();
    };
    globalThis.destroyAfter = (submissions) => (left = submissions);
  });

/** How often each point is tried: a few here, a hundred in all in the long suite. */
const POINTS = process.env.RESLAB_LONG ? [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 500, 610, 700, 800, 900, 987, 1200] : [3];

test('a device that is destroyed while it loads, recognises, trains, judges and exports is opened again, and the work goes on', async ({ page }) => {
  await keepDevices(page);
  const lab = new Lab(page);
  const studio = new Studio(page);
  await lab.open('?device=software');
  for (const after of POINTS) {
    const before = await page.evaluate(() => globalThis.devices.length);
    await page.evaluate((after) => globalThis.destroyAfter(after), after);
    // Loading: the model is opened again, as a file of one's own.
    await lab.openWeights({ name: `${after}.safetensors`, mimeType: '', buffer: Buffer.from(await (await page.request.get('/models/resnet20-cifar10.safetensors')).body()) });
    await expect(lab.modelName).toHaveText(`${after}.safetensors`);
    await lab.choose(await picture('cat'));
    await expect(lab.best).toContainText('cat');
    expect(await lab.pictureError.count() + await lab.modelError.count(), 'nothing is asked of the person').toBe(0);
    // A device that was not lost by so few submissions is lost now, at rest.
    await page.evaluate((before) => before === globalThis.devices.length && globalThis.devices.at(-1).destroy(), before);
    await lab.choose(await picture('ship'));
    await expect(lab.best).toContainText('ship');
    await page.getByTestId('clear').click();
  }

  await studio.open('/?device=software');
  await page.getByTestId('new-project').click();
  for (const [index, kind] of ['flat', 'upright'].entries()) {
    const pictures = Array.from({ length: 8 }, (_, i) => ({ name: `${i}.png`, mimeType: 'image/png', buffer: stripes(kind, 1 + i + 1000 * index) }));
    await page.getByTestId('upload-input').nth(index).setInputFiles(pictures);
  }
  await expect(studio.counts).toHaveText(['8 pictures', '8 pictures']);
  await studio.step('train');
  await page.getByTestId('depth-head').check();
  await page.getByTestId('train-epochs').fill('2');
  await page.getByTestId('train-epochs').press('Tab');
  for (const after of POINTS) {
    await page.evaluate((after) => globalThis.destroyAfter(after), after);
    await studio.step('train');
    await page.getByTestId('train-start').or(page.getByTestId('train-again')).first().click();
    await expect(page.getByTestId('train-words')).toContainText('Done after 2 epochs', { timeout: 240_000 });
    // Judging, on a device that is lost as it begins.
    await page.evaluate(() => globalThis.destroyAfter(1));
    await studio.step('judge');
    await expect(page.getByTestId('judge-accuracy')).toContainText('%');
    // Exporting, which reads the weights, while the device goes.
    await studio.step('export');
    const saving = page.waitForEvent('download');
    await page.evaluate(() => globalThis.devices.at(-1).destroy());
    await page.getByTestId('export-onnx').click();
    expect((await readFile(await (await saving).path())).length).toBeGreaterThan(1_000_000);
  }
});

test('a phone’s limits are enough to recognise and to teach, and what needs more says so', async ({ page }) => {
  const seen = watch(page);
  await page.addInitScript(() => {
    const least = { maxStorageBufferBindingSize: 128 << 20, maxBufferSize: 256 << 20 };
    for (const [name, value] of Object.entries(least)) Object.defineProperty(GPUSupportedLimits.prototype, name, { get: () => value });
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = function (options = {}) {
      for (const [name, value] of Object.entries(least)) {
        if (options.requiredLimits?.[name] > value) throw new Error(`${name} of ${options.requiredLimits[name]} is more than a phone has`);
      }
      return request.call(this, { ...options, requiredLimits: { ...options.requiredLimits, ...least } });
    };
  });
  const lab = new Lab(page);
  await lab.open('?device=software');
  await lab.choose(await picture('frog'));
  await expect(lab.best).toContainText('frog');
  await page.getByTestId('screen-benchmark').click();
  await page.getByTestId('bench-arch').selectOption('resnet50');
  await page.getByTestId('bench-batch').fill('64');
  await page.getByTestId('bench-size').fill('224');
  await page.getByTestId('bench-size').press('Tab');
  await page.getByTestId('bench-start').click();
  await expect(page.getByTestId('bench-error')).toContainText(/needs [\d.]+ [MG]B, but this device allows 134 MB/);

  const studio = new Studio(page);
  await studio.open('/?device=software');
  await page.getByTestId('example-patterns').click();
  await expect(studio.counts).toHaveText(['60 pictures', '60 pictures', '60 pictures']);
  await studio.step('train');
  await page.getByTestId('depth-head').check();
  await page.getByTestId('train-epochs').fill('1');
  await page.getByTestId('train-epochs').press('Tab');
  await page.getByTestId('train-start').click();
  await expect(page.getByTestId('train-words')).toContainText('Done after 1 epoch');
  expect(seen.errors).toEqual([]);
});
