// Keeps the page for use without a network. A release build writes the names of its files and their digest below
// (xtask/src/offline.rs); a development build leaves the list empty, and then this worker removes itself.

const VERSION = '7915a43a4ba97eba';
const FILES = ['./boot.js', './icon-7d87cdd189d64b43.svg', './icons/icon-192.png', './icons/icon-512.png', './icons/maskable-512.png', './index.html', './live-3f81aebda4769e0a.css', './manifest.webmanifest', './models/resnet20-cifar10.safetensors', './part-benchmark-89c0e39d19fa8bb6.wasm', './part-benchmark-camera-89c0e39d19fa8bb6.wasm', './part-benchmark-camera-export-files-keras-studio-training-89c0e39d19fa8bb6.wasm', './part-benchmark-camera-export-training-89c0e39d19fa8bb6.wasm', './part-benchmark-camera-files-keras-studio-training-89c0e39d19fa8bb6.wasm', './part-benchmark-camera-files-keras-training-89c0e39d19fa8bb6.wasm', './part-benchmark-camera-files-studio-training-89c0e39d19fa8bb6.wasm', './part-benchmark-camera-files-training-89c0e39d19fa8bb6.wasm', './part-benchmark-camera-keras-training-89c0e39d19fa8bb6.wasm', './part-benchmark-camera-pictures-training-89c0e39d19fa8bb6.wasm', './part-benchmark-camera-studio-89c0e39d19fa8bb6.wasm', './part-benchmark-camera-studio-training-89c0e39d19fa8bb6.wasm', './part-benchmark-camera-training-89c0e39d19fa8bb6.wasm', './part-benchmark-export-pictures-training-89c0e39d19fa8bb6.wasm', './part-benchmark-export-studio-89c0e39d19fa8bb6.wasm', './part-benchmark-files-keras-89c0e39d19fa8bb6.wasm', './part-benchmark-files-keras-studio-89c0e39d19fa8bb6.wasm', './part-benchmark-files-keras-training-89c0e39d19fa8bb6.wasm', './part-benchmark-files-studio-training-89c0e39d19fa8bb6.wasm', './part-benchmark-keras-89c0e39d19fa8bb6.wasm', './part-benchmark-keras-studio-89c0e39d19fa8bb6.wasm', './part-benchmark-pictures-studio-89c0e39d19fa8bb6.wasm', './part-benchmark-pictures-training-89c0e39d19fa8bb6.wasm', './part-benchmark-studio-89c0e39d19fa8bb6.wasm', './part-benchmark-studio-training-89c0e39d19fa8bb6.wasm', './part-benchmark-training-89c0e39d19fa8bb6.wasm', './part-camera-89c0e39d19fa8bb6.wasm', './part-camera-files-keras-pictures-studio-89c0e39d19fa8bb6.wasm', './part-camera-files-keras-studio-89c0e39d19fa8bb6.wasm', './part-camera-files-keras-training-89c0e39d19fa8bb6.wasm', './part-camera-files-studio-89c0e39d19fa8bb6.wasm', './part-camera-files-studio-training-89c0e39d19fa8bb6.wasm', './part-camera-pictures-studio-89c0e39d19fa8bb6.wasm', './part-camera-studio-89c0e39d19fa8bb6.wasm', './part-camera-studio-training-89c0e39d19fa8bb6.wasm', './part-camera-training-89c0e39d19fa8bb6.wasm', './part-export-89c0e39d19fa8bb6.wasm', './part-export-files-keras-89c0e39d19fa8bb6.wasm', './part-export-files-keras-pictures-studio-training-89c0e39d19fa8bb6.wasm', './part-export-files-keras-studio-training-89c0e39d19fa8bb6.wasm', './part-export-files-keras-training-89c0e39d19fa8bb6.wasm', './part-export-files-studio-89c0e39d19fa8bb6.wasm', './part-export-files-studio-training-89c0e39d19fa8bb6.wasm', './part-export-keras-studio-89c0e39d19fa8bb6.wasm', './part-export-pictures-89c0e39d19fa8bb6.wasm', './part-export-studio-89c0e39d19fa8bb6.wasm', './part-export-studio-training-89c0e39d19fa8bb6.wasm', './part-export-training-89c0e39d19fa8bb6.wasm', './part-files-89c0e39d19fa8bb6.wasm', './part-files-keras-89c0e39d19fa8bb6.wasm', './part-files-keras-pictures-89c0e39d19fa8bb6.wasm', './part-files-keras-pictures-studio-89c0e39d19fa8bb6.wasm', './part-files-keras-studio-89c0e39d19fa8bb6.wasm', './part-files-keras-studio-training-89c0e39d19fa8bb6.wasm', './part-files-keras-training-89c0e39d19fa8bb6.wasm', './part-files-pictures-89c0e39d19fa8bb6.wasm', './part-files-pictures-studio-89c0e39d19fa8bb6.wasm', './part-files-studio-89c0e39d19fa8bb6.wasm', './part-files-studio-training-89c0e39d19fa8bb6.wasm', './part-files-training-89c0e39d19fa8bb6.wasm', './part-keras-89c0e39d19fa8bb6.wasm', './part-keras-pictures-89c0e39d19fa8bb6.wasm', './part-keras-studio-89c0e39d19fa8bb6.wasm', './part-keras-studio-training-89c0e39d19fa8bb6.wasm', './part-keras-training-89c0e39d19fa8bb6.wasm', './part-pictures-89c0e39d19fa8bb6.wasm', './part-pictures-studio-89c0e39d19fa8bb6.wasm', './part-pictures-studio-training-89c0e39d19fa8bb6.wasm', './part-pictures-training-89c0e39d19fa8bb6.wasm', './part-studio-89c0e39d19fa8bb6.wasm', './part-studio-training-89c0e39d19fa8bb6.wasm', './part-training-89c0e39d19fa8bb6.wasm', './parts-89c0e39d19fa8bb6.js', './processor.js', './reslab-89c0e39d19fa8bb6.js', './reslab-89c0e39d19fa8bb6_bg.wasm', './reslab-processor.js', './reslab-processor_bg.wasm', './samples/airplane.webp', './samples/automobile.webp', './samples/bird.webp', './samples/cat.webp', './samples/deer.webp', './samples/dog.webp', './samples/frog.webp', './samples/horse.webp', './samples/ship.webp', './samples/truck.webp', './shell-fec57b9e30875bad.css', './style-ae689bf8a1cee0dd.css'];

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
