// The live view with Chromium's fake camera, which plays a video made here: three seconds of a cat, three of a ship.

import { expect, test } from '@playwright/test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import config from './playwright.config.mjs';
import { watch } from './pages/app.mjs';
import { audit } from './pages/audit.mjs';
import { Lab, picture } from './pages/lab.mjs';
import { stripes } from './pages/pictures.mjs';
import { Studio, zip } from './pages/studio.mjs';
import { serve } from './server.mjs';

// A motion JPEG is its pictures one after another; the camera plays 20 a second, again and again. Its reader takes baseline JPEGs
// alone, so a browser without a camera writes them.
const folder = mkdtempSync(join(tmpdir(), 'reslab-camera-'));
const video = join(folder, 'camera.mjpeg');
test.beforeAll(async ({ playwright }) => {
  const browser = await playwright.chromium.launch(launchOptions);
  const page = await browser.newPage();
  const frames = async (sample) => {
    const bytes = readFileSync(new URL(`../../www/samples/${sample}.webp`, import.meta.url)).toString('base64');
    const url = await page.evaluate(async (url) => {
      const image = new Image();
      image.src = url;
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });
      canvas.getContext('2d').drawImage(image, 0, 0, 320, 240);
      return canvas.toDataURL('image/jpeg', 0.95);
    }, `data:image/webp;base64,${bytes}`);
    return Array(60).fill(Buffer.from(url.split(',')[1], 'base64'));
  };
  writeFileSync(video, Buffer.concat([...(await frames('cat')), ...(await frames('ship'))]));
  await browser.close();
});
test.afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { launchOptions } = config.use;
test.use({
  permissions: ['camera'],
  launchOptions: {
    ...launchOptions,
    args: [
      ...launchOptions.args,
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-video-capture=${video}`,
    ],
  },
});

class Live extends Lab {
  constructor(page) {
    super(page);
    this.view = page.getByTestId('live');
    this.best = page.getByTestId('live-best');
    this.trouble = page.getByTestId('live-trouble');
    this.video = page.getByTestId('live-video');
    this.looks = page.getByTestId('looks');
  }

  async start() {
    await this.open();
    await this.page.getByTestId('camera').click();
  }

  frames = async () => Number(await this.view.getAttribute('data-frames'));

  async read(count) {
    const from = await this.frames();
    await expect.poll(this.frames, { intervals: [100], timeout: Math.max(150_000, 1_000 * count) }).toBeGreaterThanOrEqual(from + count);
  }
}

test('says what the camera shows, where it looks, and pauses while nobody looks', async ({ page }) => {
  const seen = watch(page);
  const live = new Live(page);
  await live.start();
  await expect(live.best).toContainText('cat');
  await expect(live.best).toContainText('ship');
  await expect(page.getByTestId('spoken')).toHaveText(/Now: (cat|ship)\./);
  await expect(page.getByTestId('live-row')).toHaveCount(5);
  await expect(page.getByTestId('live-speed')).toHaveText(/[\d.]+ frames per second, [\d.]+ m?s each/);
  // A person expects a mirror; the video stands in the document and plays by itself.
  const element = await live.video.evaluate((video) => ({
    inline: video.playsInline && video.muted && document.contains(video),
    mirrored: getComputedStyle(video.parentElement).transform,
  }));
  expect(element).toEqual({ inline: true, mirrored: 'matrix(-1, 0, 0, 1, 0, 0)' });

  await page.getByTestId('live-threshold').fill('100');
  await expect(live.best).toContainText('Not sure');
  await page.getByTestId('live-threshold').fill('50');

  await live.looks.click();
  await expect(page.getByTestId('live-map')).toBeVisible();
  await page.locator('.bars--live button').nth(1).click();
  await expect(page.getByTestId('looks-class')).toHaveText(/What speaks for/);
  const painted = await page.getByTestId('live-map').evaluate((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return { size: [canvas.width, canvas.height], opaque: data.filter((_, i) => i % 4 === 3 && data[i] > 0).length };
  });
  expect(painted).toEqual({ size: [8, 8], opaque: 64 });
  await audit(page, 'a map over the camera');

  const hide = (hidden) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    }, hidden);
  await hide(true);
  await expect(page.getByTestId('live-paused')).toBeVisible();
  // The frame that was out may still come back.
  await page.waitForFunction(() => document.querySelector('[data-testid=live-video]').currentTime > 0);
  const before = await live.frames();
  const shown = await live.video.evaluate((video) => video.currentTime);
  await page.waitForFunction((from) => document.querySelector('[data-testid=live-video]').currentTime > from + 0.5, shown);
  expect(await live.frames()).toBeLessThanOrEqual(before + 1);
  await hide(false);
  await live.read(3);

  // A closed camera is off.
  const track = await live.video.evaluateHandle((video) => video.srcObject.getVideoTracks()[0]);
  await page.getByTestId('live-stop').click();
  await expect(page.getByTestId('drop-zone')).toBeVisible();
  expect(await track.evaluate((track) => track.readyState)).toBe('ended');
  expect(seen.errors).toEqual([]);
});

test('a camera that is not to be had gets a sentence and a way on', async ({ page }) => {
  await page.addInitScript(() => {
    const real = MediaDevices.prototype.getUserMedia;
    MediaDevices.prototype.getUserMedia = function (constraints) {
      const { refusal } = globalThis;
      return refusal ? Promise.reject(new DOMException('no', refusal)) : real.call(this, constraints);
    };
    globalThis.refusal = 'NotAllowedError';
  });
  const live = new Live(page);
  await live.start();
  await expect(live.trouble).toContainText('may not use the camera');
  await audit(page, 'no permission');
  const again = page.getByTestId('live-again');
  for (const [name, words] of [
    ['NotFoundError', 'No camera was found'],
    ['NotReadableError', 'another program or tab'],
    ['OverconstrainedError', 'not there'],
    ['UnknownError', 'The browser says: no'],
  ]) {
    await page.evaluate((name) => (globalThis.refusal = name), name);
    await again.click();
    await expect(live.trouble).toContainText(words);
  }
  await page.evaluate(() => delete globalThis.refusal);
  await again.click();
  await expect(live.view).toHaveAttribute('data-phase', 'on');
  await live.video.evaluate((video) => video.srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended')));
  await expect(live.trouble).toContainText('went away');
  await again.click();
  await expect(live.view).toHaveAttribute('data-phase', 'on');
});

test('cameras that come, go, fail and fall silent: told, and the picture goes on by itself', async ({ page }) => {
  // Cameras whose frames the test draws, or does not.
  await page.addInitScript(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });
    const context = canvas.getContext('2d');
    globalThis.drawing = true;
    globalThis.cameras = ['inside', 'microscope', 'broken'];
    let hue = 0;
    setInterval(() => {
      if (!globalThis.drawing) return;
      context.fillStyle = `hsl(${(hue += 7)} 80% 50%)`;
      context.fillRect(0, 0, 64, 48);
    }, 100);
    const { mediaDevices } = navigator;
    mediaDevices.enumerateDevices = async () =>
      globalThis.cameras.map((label) => ({ kind: 'videoinput', deviceId: label, label, groupId: '' }));
    mediaDevices.getUserMedia = async ({ video }) => {
      const wanted = video.deviceId?.exact ?? 'inside';
      if (wanted === 'broken') throw new DOMException('', 'NotReadableError');
      if (!globalThis.cameras.includes(wanted)) throw new DOMException('', 'OverconstrainedError');
      const stream = canvas.captureStream(10);
      stream.getVideoTracks()[0].getSettings = () => ({ deviceId: wanted });
      return stream;
    };
  });
  const live = new Live(page);
  await live.start();
  const list = page.getByTestId('live-camera');
  await expect(list.locator('option')).toHaveText(['inside', 'microscope', 'broken']);
  await list.selectOption('microscope');
  await expect(live.view).toHaveAttribute('data-phase', 'on');
  await list.selectOption('broken');
  await expect(page.getByTestId('live-error')).toContainText('another program or tab');
  await expect(live.view).toHaveAttribute('data-phase', 'on');
  await expect(list).toHaveValue('microscope');
  await page.evaluate(() => {
    globalThis.cameras = ['inside', 'microscope', 'stand'];
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  });
  await expect(list.locator('option')).toHaveText(['inside', 'microscope', 'stand']);

  await live.read(2);
  await page.evaluate(() => (globalThis.drawing = false));
  await expect(live.view).toHaveAttribute('data-phase', 'silent');
  await expect(live.best).toContainText('No picture comes from the camera');
  await audit(page, 'a silent camera');
  await page.evaluate(() => (globalThis.drawing = true));
  await expect(live.view).toHaveAttribute('data-phase', 'on');
  await expect(live.best).not.toContainText('No picture');

  // The camera that was chosen is the one that is opened elsewhere, and there silence is told as well.
  await page.getByTestId('screen-teach').click();
  await page.getByTestId('new-project').click();
  await page.getByTestId('open-camera').first().click();
  await expect(page.getByTestId('record-camera')).toHaveValue('microscope');
  await page.getByTestId('record-length').selectOption('15');
  await page.getByTestId('hands-free').click();
  await audit(page, 'a countdown');
  await expect(page.getByTestId('class-count').first()).toHaveText(/^[1-9]\d* pictures?$/);
  await audit(page, 'a recording');
  await page.getByTestId('record-camera').selectOption('stand');
  await expect(page.getByTestId('hold')).toBeVisible();
  await page.evaluate(() => (globalThis.drawing = false));
  await expect(page.getByTestId('camera-silent')).toBeVisible();
  await page.evaluate(() => (globalThis.drawing = true));
  await expect(page.getByTestId('camera-silent')).toHaveCount(0);
});

// Frames that are counted: every one makes the same objects, so a few show what 1,000 would. RESLAB_E2E_FRAMES=1000 takes as
// long as the adapter needs for them.
const COUNTED = Number(process.env.RESLAB_E2E_FRAMES ?? 100);

test('frame after frame needs no more memory', async ({ page }) => {
  await page.addInitScript(() => {
    // What is made on the GPU and not given back.
    const alive = (globalThis.alive = { buffers: 0, textures: 0, groups: 0 });
    for (const [method, kind] of [['createBuffer', 'buffers'], ['createTexture', 'textures'], ['createBindGroup', 'groups']]) {
      const real = GPUDevice.prototype[method];
      GPUDevice.prototype[method] = function (...rest) {
        alive[kind] += 1;
        return real.apply(this, rest);
      };
    }
    const destroy = GPUBuffer.prototype.destroy;
    GPUBuffer.prototype.destroy = function () {
      alive.buffers -= 1;
      destroy.call(this);
    };
    // As fast as the GPU can, not as the camera.
    HTMLVideoElement.prototype.requestVideoFrameCallback = (then) => setTimeout(then, 0);
    HTMLVideoElement.prototype.cancelVideoFrameCallback = (number) => clearTimeout(number);
  });
  const live = new Live(page);
  await live.start();
  await live.looks.click();
  await expect(page.getByTestId('live-map')).toBeVisible();
  await live.read(20);
  const devtools = await page.context().newCDPSession(page);
  const memory = async () => {
    await devtools.send('HeapProfiler.collectGarbage');
    const { usedSize, backingStorageSize = 0 } = await devtools.send('Runtime.getHeapUsage');
    return { bytes: usedSize + backingStorageSize, alive: await page.evaluate(() => ({ ...globalThis.alive })) };
  };
  const before = await memory();
  await live.read(COUNTED);
  const after = await memory();
  expect(after.bytes - before.bytes).toBeLessThan(500_000);
  // At the moment of counting one frame may be on its way: two read-backs.
  expect(after.alive.buffers - before.alive.buffers).toBeLessThanOrEqual(2);
  expect([after.alive.textures, after.alive.groups]).toEqual([before.alive.textures, before.alive.groups]);
});

test('a picture shows where the network looks, for any class and layer', async ({ page }) => {
  const live = new Live(page);
  await live.open();
  await live.choose(await picture('cat'));
  await live.looks.click();
  const map = page.getByTestId('picture-map');
  await expect(map).toBeVisible();
  const first = await map.getAttribute('href');
  await live.predictions.nth(2).getByRole('button').click();
  await expect(map).not.toHaveAttribute('href', first);
  const second = await map.getAttribute('href');
  await page.getByText('Advanced: another layer').click();
  await page.getByTestId('looks-layer').selectOption('layer2');
  await expect(map).not.toHaveAttribute('href', second);
  await audit(page, 'a map of another layer');
  await live.looks.click();
  await expect(map).toHaveCount(0);
});

// A phone, a tablet, a phone on its side, a small notebook.
for (const [width, height] of [[390, 844], [768, 1024], [844, 390], [1280, 860]]) {
  test(`recording and trying out need no scrolling at ${width} x ${height}`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    const studio = new Studio(page);
    /** Where the element is on the screen: all of it in sight, and nothing of the page's own lies over it. */
    const inSight = async (testid, where) => {
      const box = await page.getByTestId(testid).first().boundingBox();
      const bar = await page.getByTestId('next').boundingBox();
      const edge = bar && testid !== 'next' ? Math.min(bar.y, height) : height;
      expect(box.y >= 0 && box.y + box.height <= edge, `${testid} ${where}: ${JSON.stringify(box)}, room to ${edge}`).toBe(true);
    };
    await new Lab(page).open();
    await studio.open();
    await page.getByTestId('new-project').click();
    const set = Object.fromEntries([1, 2, 3, 4].flatMap((n) => ['flat', 'upright'].map((kind) => [`${kind}/${n}.png`, stripes(kind, n)])));
    await page.getByTestId('add-zip-input').setInputFiles({ name: 'set.zip', mimeType: 'application/zip', buffer: zip(set) });
    await expect(studio.counts).toHaveText(['4 pictures', '4 pictures']);
    await page.getByTestId('open-camera').first().click();
    await expect.poll(() => page.getByTestId('recorder-video').evaluate((video) => video.videoWidth)).toBeGreaterThan(0);
    await expect(page.getByTestId('hold')).toBeFocused();
    for (const part of ['class-name', 'class-count', 'recorder-video', 'hold']) await inSight(part, 'while recording');

    await studio.step('train');
    await page.getByTestId('train-epochs').fill('1');
    await page.getByTestId('train-epochs').press('Tab');
    await page.getByTestId('train-start').click();
    await expect(page.getByTestId('train-words')).toContainText('Done after 1 epoch');
    await studio.step('live');
    await page.getByTestId('live-start').click();
    await expect(page.getByTestId('live-caption')).toContainText(/flat|upright|Not sure/);
    // On its side a phone has no room for the way on.
    for (const part of ['live-video', 'live-caption', 'live-stop', ...(height > 480 ? ['next'] : [])]) await inSight(part, 'while trying out');
  });
}

test('quick presses record one frame after the other, hands-free lasts its time, and the space bar holds', async ({ page }) => {
  await page.addInitScript(() => {
    globalThis.taken = [];
    const real = OffscreenCanvas.prototype.convertToBlob;
    OffscreenCanvas.prototype.convertToBlob = function (...args) {
      if (args[0]?.type === 'image/jpeg' && document.querySelector('[data-testid=taken]')) globalThis.taken.push(performance.now());
      return real.apply(this, args);
    };
    globalThis.recordings = [];
    new MutationObserver(() => {
      const on = Boolean(document.querySelector('[data-testid=taken]'));
      const last = globalThis.recordings.at(-1);
      if (on && last?.end !== null) globalThis.recordings.push({ begin: performance.now(), end: null });
      if (!on && last && last.end === null) last.end = performance.now();
    }).observe(document, { childList: true, subtree: true });
  });
  await page.goto('/#teach');
  await page.getByTestId('new-project').click();
  await page.getByTestId('open-camera').first().click();
  const hold = page.getByTestId('hold');
  await hold.waitFor();
  await expect.poll(() => page.getByTestId('recorder-video').evaluate((video) => video.videoWidth)).toBeGreaterThan(0);
  await page.getByTestId('record-rate').selectOption('1');
  const place = await hold.boundingBox();
  await hold.hover();
  for (let press = 0; press < 5; press++) {
    await page.mouse.down();
    await page.mouse.up();
  }
  // Nothing that comes with the first picture moves the button away from under the finger.
  await expect(page.getByTestId('class-count').first()).toContainText(/[1-5] picture/);
  expect(await hold.boundingBox()).toEqual(place);
  const before = await page.evaluate(() => globalThis.taken.length);
  expect(before).toBeLessThanOrEqual(5);
  await page.mouse.down();
  await expect.poll(() => page.evaluate(() => globalThis.taken.length)).toBeGreaterThanOrEqual(before + 4);
  await page.mouse.up();
  const between = await page.evaluate((before) => globalThis.taken.slice(before).map((at, i, all) => at - (all[i - 1] ?? -1e9)), before + 1);
  expect(Math.min(...between.slice(1)), 'one loop at one frame a second').toBeGreaterThan(700);

  await page.getByTestId('record-rate').selectOption('5');
  await page.getByTestId('record-length').selectOption('2');
  const recordings = () => page.evaluate(() => globalThis.recordings);
  await expect.poll(async () => (await recordings()).at(-1).end).not.toBeNull();
  const count = (await recordings()).length;
  await page.getByTestId('hands-free').click();
  await expect.poll(async () => (await recordings()).length).toBe(count + 1);
  await hold.hover();
  await page.mouse.down();
  await page.mouse.up();
  await page.mouse.move(1, 1);
  await expect.poll(async () => (await recordings()).at(-1).end).not.toBeNull();
  const { begin, end } = (await recordings()).at(-1);
  expect(end - begin, 'all of its two seconds').toBeGreaterThan(1800);

  // From anywhere but a field or a button.
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.down('Space');
  await expect(page.getByTestId('taken')).toBeVisible();
  await page.keyboard.up('Space');
  await expect(page.getByTestId('taken')).toHaveCount(0);
  await page.getByTestId('class-name').first().focus();
  await page.keyboard.press('Space');
  await expect(page.getByTestId('taken')).toHaveCount(0);
});

test('a page that shows this one without lending it the camera is named, and there is a way out of it', async ({ page, context }) => {
  const root = new URL('../../dist', import.meta.url).pathname;
  const inner = await serve({ root, framed: true });
  const frame = (allow) => `<!doctype html><title>A site</title><iframe width="900" height="900" ${allow} src="${inner.url}/#teach"></iframe>`;
  const outer = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(frame(request.url === '/lends' ? 'allow="camera"' : ''));
  });
  await new Promise((done) => outer.listen(0, 'localhost', done));
  const address = `http://localhost:${outer.address().port}`;
  try {
    await context.grantPermissions(['camera'], { origin: address });
    await context.grantPermissions(['camera'], { origin: inner.url });
    const teach = async (path) => {
      await page.goto(address + path);
      const shown = page.frameLocator('iframe');
      await shown.getByTestId('new-project').click();
      await shown.getByTestId('open-camera').first().click();
      return shown;
    };
    const shown = await teach('/');
    await expect(shown.getByTestId('camera-trouble')).toContainText(address);
    await expect(shown.getByTestId('own-tab')).toHaveAttribute('target', '_blank');
    await shown.getByTestId('screen-look').click();
    await shown.getByTestId('camera').click();
    await expect(shown.getByTestId('live-trouble')).toContainText(address);
    await expect((await teach('/lends')).getByTestId('hold')).toBeVisible();
  } finally {
    outer.closeAllConnections();
    await new Promise((done) => outer.close(done));
    await inner.close();
  }
});
