// The page in Firefox, driven over WebDriver BiDi (Playwright's own Firefox is a patched one): recognise, teach, judge, reload, export;
// with its own WebGPU where it has an adapter, and as it comes.

import { expect, test } from '@playwright/test';
import { existsSync } from 'node:fs';
import puppeteer from 'puppeteer-core';

const firefox = process.env.FIREFOX ?? ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find((path) => existsSync(path));
const sample = (name) => new URL(`../../www/samples/${name}.webp`, import.meta.url).pathname;

/** Opens Firefox with these preferences; `use` gets a page whose errors are collected. */
async function within(preferences, use) {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: firefox,
    headless: true,
    extraPrefsFirefox: { 'intl.accept_languages': 'en', ...preferences },
  });
  try {
    const page = await browser.newPage();
    await page.setViewport({ width: 1280, height: 860 });
    page.setDefaultTimeout(120_000);
    const errors = [];
    page.on('pageerror', (error) => errors.push(`${error.message}\n${error.stack ?? ''}`));
    // A panic says where it was on the console alone.
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    await use(page, errors);
  } finally {
    await browser.close();
  }
}

const at = (id) => `[data-testid="${id}"]`;
const text = (page, id) => page.$eval(at(id), (element) => element.textContent);
const press = async (page, id) => (await page.waitForSelector(`${at(id)}:not([disabled])`, { visible: true })).click();

/** Waits until an element says something. */
const says = (page, id, words) =>
  page.waitForFunction(
    (selector, words) => [...document.querySelectorAll(selector)].some((element) => element.textContent.includes(words)),
    {},
    at(id),
    words,
  );

async function recognise(page, address, name) {
  await page.goto(address);
  await page.waitForSelector(at('model-name'));
  const input = await page.$(at('file-input'));
  await input.uploadFile(sample(name));
  await says(page, 'best', name);
}

/** The drawn example, three epochs of its last layer; a reload keeps what was learnt. */
async function teach(page) {
  await page.evaluate(() => void (location.hash = '#teach'));
  await press(page, 'example-shapes');
  await press(page, 'step-train');
  await press(page, 'depth-head');
  const epochs = await page.waitForSelector(at('train-epochs'));
  await epochs.click({ count: 3 });
  await epochs.type('3');
  await page.keyboard.press('Tab');
  await press(page, 'train-start');
  await press(page, 'train-judge');
  await says(page, 'judge-accuracy', '%');
  const accuracy = await text(page, 'judge-accuracy');
  await page.waitForFunction((selector) => document.querySelector(selector)?.textContent.includes('Saved'), {}, at('saved'));
  await page.reload();
  await says(page, 'judge-accuracy', '%');
  expect(await text(page, 'judge-accuracy')).toBe(accuracy);
}

/** Saves the network as ONNX and gives the file's name and size. */
async function exported(page) {
  await press(page, 'step-export');
  await page.evaluate(() => {
    // What a download would write.
    HTMLAnchorElement.prototype.click = function () {
      globalThis.saved = fetch(this.href).then(async (answer) => [this.download, (await answer.arrayBuffer()).byteLength]);
    };
  });
  await page.waitForSelector(`${at('export-onnx')}:enabled`);
  await press(page, 'export-onnx');
  await page.waitForFunction(() => globalThis.saved);
  return page.evaluate(() => globalThis.saved);
}

test.beforeAll(() => {
  expect(firefox, 'Firefox: `apt-get install firefox-esr`, or its path in FIREFOX').toBeTruthy();
});

test('Firefox as it comes recognises and teaches on the processor', async ({ baseURL }) => {
  await within({ 'dom.webgpu.enabled': false }, async (page, errors) => {
    await recognise(page, baseURL, 'cat');
    expect(await text(page, 'device')).toContain('Processor');
    await teach(page);
    const [name, size] = await exported(page);
    expect(name).toMatch(/\.onnx$/);
    expect(size).toBeGreaterThan(1_000_000);
    expect(errors).toEqual([]);
  });
});

test("Firefox's own WebGPU recognises and teaches", async ({ baseURL }) => {
  await within({ 'dom.webgpu.enabled': true, 'gfx.webgpu.ignore-blocklist': true }, async (page, errors) => {
    await recognise(page, `${baseURL}?device=software`, 'frog');
    await says(page, 'device', "Firefox's WebGPU");
    await teach(page);
    expect(errors).toEqual([]);
  });
});
