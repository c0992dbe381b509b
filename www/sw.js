// Keeps the page for use without a network. A release build writes the names of its files and their digest below
// (xtask/src/offline.rs); a development build leaves the list empty, and then this worker removes itself.

const VERSION = '';
const FILES = [];

const PREFIX = 'reslab-page-';
const CACHE = PREFIX + VERSION;

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
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
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
