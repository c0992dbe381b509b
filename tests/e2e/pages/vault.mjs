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
 * Lets the browser refuse transactions that put something, at their commit, as on a full disk; the first `after` ones that put into `store` are
 * let through, and all after `times` ones. Without a `reason` they are broken off, as when a connection dies.
 */
export const refuse = (page, { store, after = 0, times = Infinity, reason = 'QuotaExceededError' } = {}) =>
  page.evaluate(
    ({ store, after, times, reason }) => {
      globalThis.refusing = { store, after, times: times ?? Infinity, reason };
      if (globalThis.refused) return;
      globalThis.refused = new WeakSet();
      const { put } = IDBObjectStore.prototype;
      const { commit } = IDBTransaction.prototype;
      IDBObjectStore.prototype.put = function (...args) {
        const { store } = globalThis.refusing;
        if (!store || store === this.name) globalThis.refused.add(this.transaction);
        return put.apply(this, args);
      };
      IDBTransaction.prototype.commit = function () {
        const { reason } = globalThis.refusing;
        if (!globalThis.refused.has(this) || globalThis.refusing.after-- > 0 || globalThis.refusing.times-- <= 0) return commit.call(this);
        if (reason) Object.defineProperty(this, 'error', { value: new DOMException('refused by the test', reason) });
        return this.abort();
      };
    },
    { store, after, times: Number.isFinite(times) ? times : undefined, reason },
  );

/** Lets the browser take everything again. */
export const accept = (page) => refuse(page, { times: 0 });
