// Hours in minutes: many frames, trainings, imports and exports, and what memory, GPU buffers and IndexedDB come to at the end. In the long
// suite alone (`cargo xtask test long`); RESLAB_SOAK scales the counts (1: those of docs/reliability.md).

import { expect, test } from '@playwright/test';
import { Lab, picture } from './pages/lab.mjs';
import { stripes } from './pages/pictures.mjs';
import { Studio } from './pages/studio.mjs';

test.describe.configure({ timeout: 6 * 3_600_000 });
const scale = Number(process.env.RESLAB_SOAK ?? 1);
const times = (count) => Math.max(4, Math.round(count * scale));

/** Counts the bytes of GPU buffers that live. */
const countBuffers = (page) =>
  page.addInitScript(() => {
    globalThis.gpuBytes = 0;
    const create = GPUDevice.prototype.createBuffer;
    GPUDevice.prototype.createBuffer = function (descriptor) {
      const buffer = create.call(this, descriptor);
      globalThis.gpuBytes += descriptor.size;
      const destroy = buffer.destroy.bind(buffer);
      let alive = true;
      buffer.destroy = () => {
        if (alive) globalThis.gpuBytes -= descriptor.size;
        alive = false;
        destroy();
      };
      return buffer;
    };
  });

/** JavaScript's heap after a collection, wasm's memory, GPU buffers and storage, in MB. */
async function figures(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  const [gpu, storage] = await page.evaluate(async () => [globalThis.gpuBytes, (await navigator.storage.estimate()).usage]);
  return Object.fromEntries(Object.entries({ heap: usedSize, gpu, storage }).map(([name, bytes]) => [name, Math.round(bytes / 1e5) / 10]));
}

/** Nothing has grown by more than a tenth and 10 MB since the first part was over. */
function flat(what, first, last) {
  console.log(`${what}: ${JSON.stringify(first)} after a tenth, ${JSON.stringify(last)} at the end (MB)`);
  for (const [name, value] of Object.entries(last)) expect(value, `${what}: ${name}`).toBeLessThan(first[name] * 1.1 + 10);
}

/** Does it so many times, and measures after a tenth and at the end. */
async function again(page, what, count, act) {
  let first;
  for (let done = 1; done <= count; done++) {
    await act(done);
    if (done === Math.ceil(count / 10)) first = await figures(page);
  }
  flat(`${what}, ${count} times`, first, await figures(page));
}

test('10,000 camera frames', async ({ page }) => {
  await countBuffers(page);
  await page.addInitScript(() => {
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: 320, height: 240 });
    const context = canvas.getContext('2d');
    let frame = 0;
    setInterval(() => {
      context.fillStyle = `hsl(${frame++ % 360} 80% 50%)`;
      context.fillRect(0, 0, 320, 240);
    }, 20);
    navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(50);
  });
  const lab = new Lab(page);
  await lab.open('?device=software');
  await page.getByTestId('camera').click();
  const view = page.getByTestId('live');
  const frames = async () => Number(await view.getAttribute('data-frames'));
  let seen = 0;
  await again(page, 'camera frames by the hundred', times(100), async () => {
    seen += 100;
    await expect.poll(frames, { timeout: 600_000 }).toBeGreaterThanOrEqual(seen);
  });
});

test('50 trainings, and what they keep', async ({ page }) => {
  await countBuffers(page);
  const studio = new Studio(page);
  await new Lab(page).open('?device=software');
  await studio.open('/?device=software');
  await page.getByTestId('new-project').click();
  for (const [index, kind] of ['flat', 'upright'].entries()) {
    const pictures = Array.from({ length: 6 }, (_, i) => ({ name: `${i}.png`, mimeType: 'image/png', buffer: stripes(kind, 1 + i + 1000 * index) }));
    await page.getByTestId('upload-input').nth(index).setInputFiles(pictures);
  }
  await studio.step('train');
  await page.getByTestId('train-epochs').fill('1');
  await page.getByTestId('train-epochs').press('Tab');
  await again(page, 'trainings, each run deleted', times(50), async () => {
    await page.getByTestId('train-start').or(page.getByTestId('train-again')).first().click();
    await expect(page.getByTestId('train-words')).toContainText('Done after 1 epoch');
    // All runs but the one in use would stay: a soak wants what is thrown away to be gone.
    const remove = page.getByTestId('delete-run');
    while ((await remove.count()) > 1) {
      const before = await remove.count();
      await remove.last().click();
      await expect(remove).toHaveCount(before - 1);
    }
  });
});

test('200 imports and exports', async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('example-shapes').click();
  await expect(studio.counts.first()).toContainText('60');
  await studio.saved();
  await page.getByTestId('all-projects').click();
  const save = async () => {
    const saving = page.waitForEvent('download');
    await page.getByRole('button', { name: /^Save as ZIP/ }).first().click();
    return (await saving).path();
  };
  const archive = await save();
  await page.evaluate(() => (globalThis.gpuBytes = 0));
  await again(page, 'imports and exports', times(200), async () => {
    await page.getByTestId('import-project-input').setInputFiles(archive);
    await studio.saved();
    await page.getByTestId('all-projects').click();
    await save();
    await page.getByTestId('delete-project').first().click();
    await page.reload(); // what was deleted leaves for good
    await page.getByTestId('project').first().waitFor();
    await page.evaluate(() => (globalThis.gpuBytes = 0));
  });
});

test('training in a tab that nobody looks at, as a ratio', async ({ page }) => {
  const studio = new Studio(page);
  await new Lab(page).open();
  await studio.open();
  await page.getByTestId('example-shapes').click();
  await expect(studio.counts.first()).toContainText('60');
  await studio.step('train');
  await page.getByTestId('train-epochs').fill('5');
  await page.getByTestId('train-epochs').press('Tab');
  const time = async () => {
    const begun = Date.now();
    await page.getByTestId('train-start').or(page.getByTestId('train-again')).first().click();
    await expect(page.getByTestId('train-words')).toContainText('Done after 5 epochs');
    return Date.now() - begun;
  };
  await time(); // shaders, pictures
  const seen = await time();
  await page.evaluate(() => {
    const later = window.setTimeout.bind(window);
    window.setTimeout = (act, ms, ...values) => later(act, Math.max(1000, ms ?? 0), ...values);
    window.requestAnimationFrame = () => 0;
  });
  const hidden = await time();
  console.log(`hidden tab: ${hidden} ms for 5 epochs, ${seen} ms in sight, ratio ${(hidden / seen).toFixed(2)}`);
});

test('a picture read again and again', async ({ page }) => {
  await countBuffers(page);
  const lab = new Lab(page);
  await lab.open('?device=software');
  const cat = await picture('cat');
  await again(page, 'pictures', times(500), async (done) => {
    await lab.choose({ ...cat, name: `${done}.webp` });
    await expect(lab.fileName).toHaveText(`${done}.webp`);
    await expect(lab.best).toContainText('cat');
    await page.getByTestId('clear').click();
  });
});
