// Starts the app: the build writes the hashed names of its two files into the preload links of index.html.
// Another page of the site (bench.html) gets them from there, when the build is for release or by reading index.html itself.

// The page's policy lets nothing else make elements or scripts out of text (Trusted Types). The framework builds its static parts from
// text, which holds no script and no handler; scripts come from this folder alone.
globalThis.trustedTypes?.createPolicy('default', {
  createHTML: (text) => {
    if (/<\s*script|<[^>]*\son\w+\s*=|javascript:/i.test(text)) throw new TypeError('this page makes no scripts out of text');
    return text;
  },
  createScriptURL: (address) => {
    if (!new URL(address, location.href).href.startsWith(new URL('./', import.meta.url).href)) {
      throw new TypeError('this page runs scripts of its own folder alone');
    }
    return address;
  },
});

async function appFiles() {
  let page = document;
  if (!page.getElementById('app-wasm')) {
    const answer = await fetch(new URL('./index.html', import.meta.url));
    const text = await answer.text();
    page = { getElementById: (id) => ({ getAttribute: () => new RegExp(`id="${id}"[^>]*href="([^"]+)"`).exec(text)[1] }) };
  }
  const at = (id) => new URL(page.getElementById(id).getAttribute('href'), new URL('./', import.meta.url)).href;
  return { js: at('app-js'), wasm: at('app-wasm') };
}

// Pages that are used without a network, and new versions of them: the app shows a button when `reslab-update` is heard.
async function keepForOffline() {
  const { serviceWorker } = navigator;
  if (!serviceWorker || document.querySelector('meta[name="reslab-page"]')) return;
  const registration = await serviceWorker.register(new URL('./sw.js', import.meta.url));
  const tell = (worker) => {
    // The very first version has nobody to take over from.
    if (worker?.state === 'installed' && serviceWorker.controller) {
      globalThis.reslabUpdate = worker;
      dispatchEvent(new Event('reslab-update'));
    }
  };
  tell(registration.waiting);
  registration.addEventListener('updatefound', () => {
    const worker = registration.installing;
    worker?.addEventListener('statechange', () => tell(worker));
  });
}

// Without it the page works all the same, as long as there is a network.
addEventListener('load', () => keepForOffline().catch((error) => console.warn(`not kept for use offline: ${error}`)));

// A module of one function that has an instruction of SIMD.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];

try {
  if (!WebAssembly.validate(new Uint8Array(SIMD))) {
    throw new Error('this browser has no WebAssembly SIMD, which others have since 2023. Update it, or open the page in another one');
  }
  const { js, wasm } = await appFiles();
  const { default: init } = await import(js);
  await init({ module_or_path: wasm });
} catch (error) {
  // Without the app there is nobody else to say it.
  document.getElementById('start')?.remove();
  const line = document.createElement('p');
  line.setAttribute('role', 'alert');
  line.textContent = `ResLab could not start: ${error.message ?? error}. If that stays after a reload, the browser may be too old.`;
  document.body.append(line);
  throw error;
}
