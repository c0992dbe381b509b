// Starts the app: the build writes the hashed names of its two files into the preload links of index.html.
// Another page of the site (bench.html) has no such links and reads them from index.html.

async function appFiles() {
  let page = document;
  if (!page.getElementById('app-wasm')) {
    const answer = await fetch(new URL('./index.html', import.meta.url));
    page = new DOMParser().parseFromString(await answer.text(), 'text/html');
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

try {
  const { js, wasm } = await appFiles();
  const { default: init } = await import(js);
  await init({ module_or_path: wasm });
} catch (error) {
  // Without the app there is nobody else to say it.
  const line = document.createElement('p');
  line.setAttribute('role', 'alert');
  line.textContent = `ResLab could not start: ${error}. Reload the page; if it stays, the browser may be too old.`;
  document.body.append(line);
  throw error;
}
