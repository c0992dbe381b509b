// The processor as a device: without WebGPU the page answers, maps and learns all the same, in a worker; and a person chooses.

import { expect, test } from '@playwright/test';
import { watch } from './pages/app.mjs';
import { Lab, picture } from './pages/lab.mjs';
import { Studio } from './pages/studio.mjs';

const WITHOUT = () => Object.defineProperty(navigator, 'gpu', { value: undefined });

test.describe('without WebGPU', () => {
  test.beforeEach(async ({ page }) => page.addInitScript(WITHOUT));

  test('a picture is recognised on the processor, and the page says how to get faster', async ({ page, baseURL }) => {
    const seen = watch(page);
    const lab = new Lab(page);
    await lab.open();
    await expect(page.getByTestId('unsupported')).toHaveCount(0);
    const device = page.getByTestId('device');
    await expect(device).toContainText('Processor');
    await lab.choose(await picture('cat'));
    await expect(lab.best).toContainText('cat');
    await device.locator('summary').click();
    await expect(page.getByTestId('device-hint')).toContainText('WebGPU');
    expect(seen.errors).toEqual([]);
    expect(seen.hosts()).toEqual([new URL(baseURL).host]);
  });

  test('no kernel runs on the page\'s own thread', async ({ page }) => {
    const lab = new Lab(page);
    await lab.open();
    await lab.choose(await picture('cat'));
    await expect(lab.best).toBeVisible();
    const kinds = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name.split('/').pop()));
    // The page itself fetches the worker's script alone; the kernels are the worker's.
    expect(kinds).toContain('processor.js');
    expect(kinds).not.toContain('reslab-processor_bg.wasm');
  });

  test('a project is trained and judged', async ({ page }) => {
    const studio = new Studio(page);
    await studio.open();
    await page.getByTestId('example-shapes').click();
    await studio.step('train');
    await page.getByTestId('depth-head').check();
    await page.getByTestId('train-epochs').fill('3');
    await page.getByTestId('train-epochs').press('Tab');
    await page.getByTestId('train-start').click();
    await page.getByTestId('train-judge').click({ timeout: 120_000 });
    await expect(page.getByTestId('judge-accuracy')).toContainText('%');
  });
});

test('the device is chosen in words, kept, and `gpu` where there is none is an error with a way on', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open('?device=software');
  await expect(page.getByTestId('device').getByText('software adapter: slow')).toBeVisible();
  await page.getByTestId('device').locator('summary').click();
  await page.getByTestId('device-choice').selectOption('cpu');
  await expect(page.getByTestId('device')).toContainText('Processor');
  await page.reload();
  await expect(page.getByTestId('device')).toContainText('Processor');

  await page.goto('/?device=gpu');
  await expect(page.getByTestId('unsupported')).toBeVisible();
  await expect(page.getByTestId('unsupported'), 'no words of a graphics library').not.toContainText(/noop|compiled in|vulkan|metal support/i);
  await page.getByTestId('use-processor').click();
  await lab.modelName.waitFor();
  await lab.choose(await picture('frog'));
  await expect(lab.best).toContainText('frog');
});

test('a network is ready when its shaders are compiled: no picture waits for them, and its time is its own', async ({ page }) => {
  await page.addInitScript(() => {
    // What the graphics card gives back comes when the test lets it: so a driver that compiles for long looks from here.
    const real = GPUBuffer.prototype.mapAsync;
    GPUBuffer.prototype.mapAsync = function (...rest) {
      if (globalThis.released) return real.apply(this, rest);
      return new Promise((go) => (globalThis.release = () => go(real.apply(this, rest))));
    };
  });
  await page.goto('/?device=software');
  await page.waitForFunction(() => globalThis.release);
  await expect(page.getByTestId('busy')).toBeVisible();
  await expect(page.getByTestId('model-name')).toHaveCount(0);
  await page.evaluate(() => {
    globalThis.released = true;
    globalThis.release();
  });
  await expect(page.getByTestId('model-name')).toBeVisible();
});

test('a device that is lost twice without an answer between gives way to the processor', async ({ page }) => {
  // Every device of WebGPU is lost as soon as it is asked to work.
  await page.addInitScript(() => {
    const submit = GPUQueue.prototype.submit;
    const devices = new Map();
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...options) {
      const device = await request.apply(this, options);
      devices.set(device.queue, device);
      return device;
    };
    GPUQueue.prototype.submit = function (...work) {
      devices.get(this)?.destroy();
      return submit.apply(this, work);
    };
  });
  const lab = new Lab(page);
  await lab.open('?device=software');
  await expect(page.getByTestId('device')).toContainText('Processor');
  await lab.choose(await picture('ship'));
  await expect(lab.best).toContainText('ship');
});

test('reslab.js answers on the processor', async ({ page }) => {
  await page.addInitScript(WITHOUT);
  await page.goto('/bench.html'); // any page of this host
  const found = await page.evaluate(async () => {
    const { default: init, Classifier } = await import('/reslab.js');
    await init();
    const model = await (await fetch('/models/resnet20-cifar10.safetensors')).arrayBuffer();
    const classifier = await Classifier.load(model, { device: 'cpu' });
    const { classes } = await classifier.classify(await (await fetch('/samples/cat.webp')).blob());
    const refused = await Classifier.load(model, { device: 'gpu' }).catch((error) => `${error.message ?? error}`);
    return { kind: classifier.device.kind, best: classes[0].label, refused };
  });
  expect(found).toMatchObject({ kind: 'cpu', best: 'cat' });
  expect(found.refused).toContain('WebGPU');
  expect(found.refused).not.toMatch(/noop|compiled in/);
});
