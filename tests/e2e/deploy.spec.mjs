// What TensorFlow.js and Teachable Machine's own library make of the files that `reslab export --format tfjs` writes, held against our
// own answers. TensorFlow Lite's files are run by LiteRT in tests/golden/check_deploy.py.

import { expect, test } from '@playwright/test';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { colour, CUSTOM, MEAN, safetensors, STD, V2 } from './pages/nets.mjs';
import { png } from './pages/pictures.mjs';

const RESLAB = process.env.RESLAB_BIN ?? new URL('../../target/debug/reslab', import.meta.url).pathname;
const run = (...args) => execFileSync(RESLAB, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

let dir;
test.beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reslab-deploy-'));
  await tf.setBackend('cpu');
});
test.afterAll(() => rm(dir, { recursive: true, force: true }));

/** The three files of a model in `folder`. */
async function files(folder) {
  const [model, weights, metadata] = await Promise.all(
    ['model.json', 'weights.bin', 'metadata.json'].map((name) => readFile(join(folder, name))),
  );
  return { model: JSON.parse(model), weights, metadata: JSON.parse(metadata) };
}

for (const [name, net, size] of [
  ['the bundled net', null, 32],
  ['a small pre-activation net', V2, 48],
  ['a block table of its own, odd size', CUSTOM, 37],
]) {
  test(`TensorFlow.js says what we say: ${name}`, async () => {
    const [folder, picture, weights] = ['tfjs', 'picture.png', 'net.safetensors'].map((file) => join(dir, file));
    await writeFile(picture, png(size, size, colour));
    if (net) await writeFile(weights, safetensors(net));
    const model = net ? ['--weights', weights] : [];
    const pixels = ['--size', String(size), '--mean', MEAN.join(), '--std', STD.join()];
    run('export', ...model, ...pixels, '--format', 'tfjs', '--out', folder);
    const said = JSON.parse(run('classify', picture, ...model, ...pixels, '--precision', 'f32', '--top', '1000', '--json'));

    const exported = await files(folder);
    const weightData = new Uint8Array(exported.weights).buffer;
    const weightSpecs = exported.model.weightsManifest.flatMap((group) => group.weights);
    const load = async () => ({ modelTopology: exported.model.modelTopology, weightSpecs, weightData });
    const loaded = await loadLayersModel({ load });
    // Pixels as Teachable Machine gives them.
    const x = Float32Array.from({ length: 3 * size * size }, (_, i) => {
      const at = Math.floor(i / 3);
      return colour(at % size, Math.floor(at / size))[i % 3] / 127 - 1;
    });
    const theirs = tf.tidy(() => loaded.predict(tf.tensor4d(x, [1, size, size, 3])).dataSync());
    const { top } = said.images[0];
    expect(theirs.length).toBe(top.length);
    expect(exported.metadata.labels[top[0].class]).toBe(top[0].label);
    for (const { class: i, probability } of top) {
      expect(Math.abs(theirs[i] - probability), `class ${i}`).toBeLessThan(1e-4);
    }
    loaded.dispose();
  });
}

test("Teachable Machine's library opens it, with the TensorFlow.js it wants, and names the picture", async ({ page }) => {
  const folder = join(dir, 'teachable');
  run('export', '--format', 'tfjs', '--out', folder);
  const sample = new URL('../../www/samples/cat.webp', import.meta.url).pathname;
  const said = JSON.parse(run('classify', sample, '--json')).images[0].top[0];
  const require = createRequire(import.meta.url);
  const library = (name, file) => join(require.resolve(name).replace(/\/dist\/.*/, ''), file);
  await page.goto('about:blank');
  await page.addScriptTag({ path: library('@tensorflow/tfjs', 'dist/tf.min.js') });
  await page.addScriptTag({ path: library('@teachablemachine/image', 'dist/teachablemachine-image.min.js') });
  const given = await Promise.all(['model.json', 'weights.bin', 'metadata.json'].map((name) => readFile(join(folder, name))));
  const picture = await readFile(sample);
  const answer = await page.evaluate(
    async ({ given, picture }) => {
      const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      await tf.setBackend('cpu');
      const names = ['model.json', 'weights.bin', 'metadata.json'];
      const opened = await tmImage.loadFromFiles(...given.map((text, i) => new File([bytes(text)], names[i])));
      const image = new Image();
      image.src = URL.createObjectURL(new Blob([bytes(picture)], { type: 'image/webp' }));
      await image.decode();
      const [best] = (await opened.predict(image)).sort((a, b) => b.probability - a.probability);
      return { version: tf.version.tfjs, classes: opened.getTotalClasses(), ...best };
    },
    { given: given.map((bytes) => bytes.toString('base64')), picture: picture.toString('base64') },
  );
  expect(answer).toMatchObject({ version: '1.3.1', classes: 10, className: said.label });
  // A browser reduces pictures in its own way.
  expect(Math.abs(answer.probability - said.probability)).toBeLessThan(0.2);
});
