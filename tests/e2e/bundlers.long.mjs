// reslab.js in pages that Vite and webpack build, as people put it into an app: its wasm and its worker are taken along. In the long suite
// alone, since it installs both.

import { expect, test } from '@playwright/test';
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from './server.mjs';

const dist = new URL('../../dist/', import.meta.url).pathname;
const VERSIONS = ['vite@7', 'webpack@5', 'webpack-cli@6'];

let app;
test.beforeAll(async () => {
  test.setTimeout(600_000);
  app = await mkdtemp(join(tmpdir(), 'reslab-app-'));
  await mkdir(join(app, 'reslab'));
  for (const file of await readdir(dist)) {
    if (/^(reslab(-bindings.*|-parts?.*|-processor.*)?\.(js|wasm|d\.ts)|processor\.js)$/.test(file)) await copyFile(join(dist, file), join(app, 'reslab', file));
  }
  const files = {
    'package.json': '{ "private": true, "type": "module" }',
    'index.html': '<!doctype html><title>app</title><script type="module" src="./main.js"></script>',
    'main.js': `
      import init, { Classifier } from './reslab/reslab.js';
      globalThis.answer = (async () => {
        await init();
        const answers = [];
        for (const device of ['cpu', 'software']) {
          const classifier = await Classifier.load('/models/resnet20-cifar10.safetensors', { device });
          const { classes } = await classifier.classify('/samples/frog.webp', { top: 1 });
          answers.push(classes[0].label);
          classifier.free();
        }
        return answers;
      })();`,
    'vite.config.js': "export default { base: './', worker: { format: 'es' }, build: { target: 'es2022', assetsInlineLimit: 0 } };",
    'webpack.config.js': "export default { mode: 'production', entry: './main.js', output: { path: process.cwd() + '/webpack-out' } };",
  };
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(app, name), text)));
  execFileSync('npm', ['install', '--no-audit', '--no-fund', ...VERSIONS], { cwd: app, stdio: 'inherit' });
});
test.afterAll(() => rm(app, { recursive: true, force: true }));

for (const [name, build, out] of [
  ['Vite', ['vite', 'build', '--outDir', 'vite-out'], 'vite-out'],
  ['webpack', ['webpack'], 'webpack-out'],
]) {
  test(`in a build of ${name}`, async ({ page }) => {
    test.setTimeout(300_000);
    execFileSync('npx', build, { cwd: app, stdio: 'inherit' });
    const root = join(app, out);
    if (name === 'webpack') await writeFile(join(root, 'index.html'), '<!doctype html><title>app</title><script src="./main.js"></script>');
    const server = await serve({ root, mounts: { '/models': join(dist, 'models'), '/samples': join(dist, 'samples') } });
    try {
      await page.goto(server.url);
      expect(await page.evaluate(() => globalThis.answer)).toEqual(['frog', 'frog']);
    } finally {
      await server.close();
    }
  });
}
