// The browser's storage of projects, looked at and broken behind the page's back.

/** Name of the database of the copy at this folder. */
export const database = (folder = '/') => `reslab ${folder}`;

/** Keeps every connection that the page opens in `globalThis.connections`. Call it before the first `goto`. */
export const keepConnections = (page) =>
  page.addInitScript(() => {
    globalThis.connections = [];
    const open = IDBFactory.prototype.open;
    IDBFactory.prototype.open = function (...args) {
      const request = open.apply(this, args);
      request.addEventListener('success', () => globalThis.connections.push(request.result));
      return request;
    };
  });

/** Everything in the database: `{ store: [[key, value]] }`, blobs as `{ size, crc }` of their bytes; null where there is no database. */
export const contents = (page, name = database()) =>
  page.evaluate(async (name) => {
    const done = (request) => new Promise((done, fail) => ((request.onsuccess = () => done(request.result)), (request.onerror = () => fail(request.error))));
    const open = indexedDB.open(name);
    open.onupgradeneeded = () => open.transaction.abort();
    const database = await done(open).catch(() => null);
    if (!database) return null;
    const hash = async (blob) => [...new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))].map((b) => b.toString(16).padStart(2, '0')).join('');
    const plain = async (value) => {
      if (value instanceof Blob) return { size: value.size, hash: await hash(value) };
      if (value === null || typeof value !== 'object') return value;
      return Object.fromEntries(await Promise.all(Object.entries(value).map(async ([key, value]) => [key, await plain(value)])));
    };
    const all = {};
    for (const store of database.objectStoreNames) {
      const records = database.transaction(store).objectStore(store);
      const [keys, values] = await Promise.all([done(records.getAllKeys()), done(records.getAll())]);
      all[store] = await Promise.all(keys.map(async (key, i) => [key, await plain(values[i])]));
    }
    database.close();
    return all;
  }, name);

/**
 * Sets how much the browser lets this site store, in bytes; without a number as much as before. Chromium then refuses writes at their commit, as
 * it does on a full disk.
 */
export async function quota(page, bytes) {
  const session = await page.context().newCDPSession(page);
  const origin = new URL(page.url()).origin;
  await session.send('Storage.overrideQuotaForOrigin', bytes === undefined ? { origin } : { origin, quotaSize: bytes });
  await session.detach();
}
