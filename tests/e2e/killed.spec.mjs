// The tab or the whole browser is killed in the middle of recording, import, training, deleting and renaming. What the browser had
// confirmed is there afterwards, byte for byte, and the project goes on. RESLAB_KILLS=100 does so at as many random moments.

import { chromium, expect, test } from '@playwright/test';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import config from './playwright.config.mjs';
import { stripes } from './pages/pictures.mjs';
import { Studio, zip } from './pages/studio.mjs';
import { contents } from './pages/vault.mjs';

const RANDOM = Number(process.env.RESLAB_KILLS ?? 0);

/** Says in the console what was asked to be written and what the browser has confirmed. */
const journal = () => {
  const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, '0')).join('');
  const plain = async (value) => {
    if (value instanceof Blob) return { size: value.size, hash: hex(await crypto.subtle.digest('SHA-256', await value.arrayBuffer())) };
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(await Promise.all(Object.entries(value).map(async ([key, value]) => [key, await plain(value)])));
  };
  const going = new Map();
  const note = (store, key, value) => {
    const { transaction } = store;
    if (!going.has(transaction)) {
      going.set(transaction, []);
      transaction.addEventListener('complete', async () => {
        const stores = going.get(transaction).map(([name]) => name);
        console.debug(`DONE ${stores}`);
        for (const [name, key, value] of going.get(transaction)) console.debug(`KEPT ${JSON.stringify([name, key, await plain(value)])}`);
      });
    }
    going.get(transaction).push([store.name, key, value]);
  };
  for (const method of ['put', 'delete']) {
    const real = IDBObjectStore.prototype[method];
    IDBObjectStore.prototype[method] = function (...args) {
      if (method === 'put') note(this, args[1], args[0]);
      else note(this, args[0], undefined);
      return real.apply(this, args);
    };
  }
};

/** A browser of its own whose profile outlives it. */
class Machine {
  constructor(baseURL) {
    this.baseURL = baseURL;
    this.dir = mkdtempSync(join(tmpdir(), 'reslab-killed-'));
    this.kept = new Map();
    this.watchers = new Set();
  }

  async start() {
    const { launchOptions } = config.use;
    this.context = await chromium.launchPersistentContext(this.dir, {
      ...launchOptions,
      args: [...launchOptions.args, '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
      baseURL: this.baseURL,
      serviceWorkers: 'block',
      permissions: ['camera'],
    });
    await this.context.addInitScript(journal);
  }

  /** Processes of this browser alone: those that descend from the one with its profile. */
  processes() {
    const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return [{ pid: Number(pid), parent: Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]), line: readFileSync(`/proc/${pid}/cmdline`, 'utf8') }];
      } catch {
        return [];
      }
    });
    const root = all.find(({ line }) => line.includes(`--user-data-dir=${this.dir}`) && !line.includes('--type='));
    const below = (pid) => pid === root.pid || (pid > 1 && below(all.find((one) => one.pid === pid)?.parent ?? 0));
    return { root, renderers: all.filter(({ pid, line }) => line.includes('--type=renderer') && below(pid)) };
  }

  async page() {
    // The browser may still take the process that was killed for the new tab's; then it tells that, and takes another.
    let page;
    await expect.poll(async () => (page = await this.context.newPage().catch(() => undefined))).toBeTruthy();
    page.on('console', (message) => {
      const text = message.text();
      if (text.startsWith('KEPT ')) {
        const [store, key, value] = JSON.parse(text.slice(5));
        this.kept.set(JSON.stringify([store, key]), value ?? null);
      } else if (text.startsWith('DONE ')) {
        for (const watcher of this.watchers) watcher(text.slice(5));
      }
    });
    return page;
  }

  /** The moment at which the browser has confirmed so many writes to the store from now on. */
  confirmed(store, count) {
    return new Promise((done) => {
      const watcher = (stores) => {
        if (stores.includes(store) && --count <= 0) {
          this.watchers.delete(watcher);
          done();
        }
      };
      this.watchers.add(watcher);
    });
  }

  async kill(what, page) {
    const { root, renderers } = this.processes();
    if (what === 'tab') {
      const crashed = page.waitForEvent('crash');
      for (const { pid } of renderers) process.kill(pid, 'SIGKILL');
      await crashed;
    } else {
      const closed = new Promise((done) => this.context.once('close', done));
      process.kill(root.pid, 'SIGKILL');
      await closed;
      await this.start();
    }
  }

  async remove() {
    await this.context.close().catch(() => {});
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** What was confirmed is there, or something newer of it. */
function holds(kept, found, when) {
  const there = new Map(Object.entries(found).flatMap(([store, records]) => records.map(([key, value]) => [JSON.stringify([store, key]), value])));
  for (const [place, value] of kept) {
    const now = there.get(place);
    const [store] = JSON.parse(place);
    const where = `${when}: ${place}`;
    if (value === null) continue;
    expect(now, where).toBeDefined();
    if (store === 'files' || store === 'thumbnails') expect(now, where).toEqual(value);
    else if (store === 'projects') expect(JSON.parse(now).changed_ms, where).toBeGreaterThanOrEqual(JSON.parse(value).changed_ms);
    else if (store === 'pictures') expect(JSON.parse(now.json).digest, where).toBe(JSON.parse(value.json).digest);
    else expect(JSON.parse(now.history).history.length, where).toBeGreaterThanOrEqual(JSON.parse(value.history).history.length);
  }
  // No picture without its file, and the other way around.
  const keys = (store) => (found[store] ?? []).map(([key]) => key);
  expect(keys('files'), when).toEqual(keys('pictures'));
  expect(keys('thumbnails'), when).toEqual(keys('pictures'));
  return there;
}

const pictures = (from, count) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i % 2 ? 'a' : 'b'}/${from + i}.png`, stripes(i % 2 ? 'flat' : 'upright', from + i)]));
let serial = 1;

/** What goes on when it happens: starts it, and gives the store whose writes tell how far it is, and how many of them there are. */
const DEEDS = {
  async recording(page) {
    await page.getByTestId('class').first().getByTestId('open-camera').click();
    await page.getByTestId('record-rate').selectOption('15');
    await page.getByTestId('hold').hover();
    await page.mouse.down();
    return { store: 'pictures', writes: 6 };
  },
  async import(page) {
    const buffer = zip(pictures((serial += 100), 12));
    await page.getByTestId('add-zip-input').setInputFiles({ name: 'more.zip', mimeType: 'application/zip', buffer });
    return { store: 'pictures', writes: 12 };
  },
  async training(page) {
    await page.getByTestId('step-train').click();
    await page.getByTestId('train-epochs').fill('40');
    await page.getByTestId('train-epochs').press('Tab');
    await page.getByTestId('train-start').click();
    return { store: 'runs', writes: 6 };
  },
  async deleting(page) {
    const tiles = page.getByTestId('class').first().getByTestId('picture-tile');
    await tiles.first().click();
    await page.keyboard.press('Delete');
    return { store: 'pictures', writes: 1 };
  },
  async renaming(page) {
    await page.getByTestId('class-name').first().fill(`name ${(serial += 1)}`);
    await page.getByTestId('class-name').first().press('Tab');
    return { store: 'projects', writes: 1 };
  },
};

async function opened(machine) {
  const page = await machine.page();
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('class').first().waitFor();
  return page;
}

/** One death: `delay` milliseconds after the write of this share of the deed was confirmed, or while it is under way. */
async function die(machine, name, what, share, delay = 0) {
  const page = await opened(machine);
  const before = new Set(machine.watchers);
  const moments = ['pictures', 'runs', 'projects'].map((store) => [store, machine]);
  // Listened to from the start: the deed itself is quick.
  const counted = Object.fromEntries(moments.map(([store]) => [store, []]));
  const watcher = (stores) => Object.keys(counted).forEach((store) => stores.includes(store) && counted[store].push(1));
  machine.watchers.add(watcher);
  const { store, writes } = await DEEDS[name](page);
  const wanted = Math.max(1, Math.round(share * writes));
  const left = wanted - counted[store].length;
  if (left > 0) await machine.confirmed(store, left);
  if (delay) await new Promise((done) => setTimeout(done, delay));
  const shown = /(\d+) of \d+/.exec(await page.title());
  await machine.kill(what, page);
  machine.watchers.clear();
  before.forEach((watcher) => machine.watchers.add(watcher));

  // Looked at before the page tidies up.
  const quiet = await machine.page();
  await quiet.goto('/models/');
  const found = await contents(quiet);
  holds(machine.kept, found, `${what} killed while ${name}`);
  if (name === 'training' && shown) {
    const epochs = Math.max(...found.runs.map(([, run]) => JSON.parse(run.history).history.length));
    expect(epochs, 'no more than the current epoch is lost').toBeGreaterThanOrEqual(Number(shown[1]) - 1);
  }
  await quiet.close();
  // What the page forgets for good when it opens is not missed.
  machine.kept = new Map([...machine.kept].filter(([, value]) => value !== null && !/"trashed":true/.test(JSON.stringify(value).replaceAll('\\', ''))));
  const trashed = new Set(found.pictures.filter(([, { json }]) => JSON.parse(json).trashed).map(([key]) => key));
  for (const place of machine.kept.keys()) if (trashed.has(JSON.parse(place)[1])) machine.kept.delete(place);
}

async function begin(machine) {
  await machine.start();
  const page = await machine.page();
  const studio = new Studio(page);
  await studio.open();
  await page.getByTestId('new-project').click();
  await page.getByTestId('add-zip-input').setInputFiles({ name: 'p.zip', mimeType: 'application/zip', buffer: zip(pictures(1, 12)) });
  await expect.poll(() => studio.names()).toEqual(['a', 'b']);
  await studio.saved();
  await page.close();
}

/** After all of it the project trains on. */
async function trainsOn(machine) {
  const page = await opened(machine);
  await page.getByTestId('step-train').click();
  await page.getByTestId('train-continue').click();
  await machine.confirmed('runs', 1);
  await page.getByTestId('train-stop').click();
  await expect(page.getByTestId('train-error')).toHaveCount(0);
  await page.close();
}

test('whatever is killed at whatever moment, what was confirmed is there and the project trains on', async ({ baseURL }) => {
  test.skip(process.platform !== 'linux', 'processes are found in /proc');
  test.setTimeout(RANDOM ? 4 * 3600_000 : 300_000);
  const machine = new Machine(baseURL);
  try {
    await begin(machine);
    if (RANDOM) {
      const names = Object.keys(DEEDS);
      for (let number = 0; number < RANDOM; number++) {
        const [name, what, share, delay] = [names[number % names.length], Math.random() < 0.7 ? 'tab' : 'browser', Math.random(), Math.floor(Math.random() * 400)];
        console.log(`${number + 1}: ${what} killed ${delay} ms after ${(share * 100).toFixed(0)} % of ${name}`);
        await die(machine, name, what, share, delay);
      }
    } else {
      await die(machine, 'recording', 'tab', 0.5);
      await die(machine, 'import', 'browser', 0.4);
      await die(machine, 'deleting', 'tab', 1);
      await die(machine, 'renaming', 'tab', 1);
      await die(machine, 'training', 'browser', 0.3);
    }
    await trainsOn(machine);
  } finally {
    await machine.remove();
  }
});
