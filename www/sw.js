// Keeps the page for use without a network. A release build writes the names of its files and their digest below
// (xtask/src/offline.rs); a development build leaves the list empty, and then this worker removes itself.

const VERSION = '';
const FILES = [];

// Several copies of the page may stand on one site, whose caches are in one place: each names its own by its folder, and touches no other.
const PREFIX = `reslab-app ${new URL('./', self.location).pathname} `;
const CACHE = PREFIX + VERSION;
// What pages called theirs that did not know of other copies.
const ELDER = 'reslab-page-';

self.addEventListener('install', (event) => {
  // Each build is a cache of its own, so that a page never gets files of two builds. Nothing is taken from the browser's HTTP cache.
  const fill = async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll(FILES.map((file) => new Request(file, { cache: 'reload' })));
  };
  event.waitUntil(FILES.length ? fill() : self.skipWaiting());
});

self.addEventListener('activate', (event) => {
  const tidy = async () => {
    const index = new URL('./index.html', self.location).href;
    const own = async (name) => name.startsWith(PREFIX) || (name.startsWith(ELDER) && (await (await caches.open(name)).match(index)));
    for (const name of await caches.keys()) {
      if (name !== CACHE && (await own(name))) await caches.delete(name);
    }
    if (FILES.length) await self.clients.claim();
    else await self.registration.unregister();
  };
  event.waitUntil(tidy());
});

// The page asks for it when the person wants the new version now; until then the old one stays whole.
self.addEventListener('message', (event) => {
  if (event.data === 'use-now') self.skipWaiting();
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || new URL(request.url).origin !== self.location.origin || !FILES.length) return;
  const answer = async () => {
    const cache = await caches.open(CACHE);
    const page = request.mode === 'navigate' && new URL(request.url).pathname === new URL('./', self.location).pathname;
    return (await cache.match(page ? './index.html' : request, { ignoreSearch: true })) ?? fetch(request);
  };
  event.respondWith(answer());
});
