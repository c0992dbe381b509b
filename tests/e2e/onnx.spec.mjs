// What ONNX Runtime makes of the files that `reslab export` writes, held against our own answers: the bundled net, a small
// pre-activation net and a block table of its own. tests/golden/check_onnx.py does the same for every published net.

import { expect, test } from '@playwright/test';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-web';
import { colour, CUSTOM, MEAN, safetensors, STD, V2 } from './pages/nets.mjs';
import { png } from './pages/pictures.mjs';

// `cargo xtask test e2e` builds it and says where it is.
const RESLAB = process.env.RESLAB_BIN ?? new URL('../../target/debug/reslab', import.meta.url).pathname;
const run = (...args) => execFileSync(RESLAB, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

let dir;
test.beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reslab-onnx-'));
});
test.afterAll(() => rm(dir, { recursive: true, force: true }));

for (const [name, net, size] of [
  ['the bundled net', null, 32],
  ['a small pre-activation net', V2, 48],
  ['a block table of its own, odd size', CUSTOM, 37],
]) {
  test(`ONNX Runtime says what we say: ${name}`, async () => {
    const [onnx, picture, weights] = ['net.onnx', 'picture.png', 'net.safetensors'].map((file) => join(dir, file));
    await writeFile(picture, png(size, size, colour));
    if (net) await writeFile(weights, safetensors(net));
    // The picture has the input's size already, so that nothing but the net is compared.
    const model = net ? ['--weights', weights] : [];
    const pixels = ['--size', String(size), '--mean', MEAN.join(), '--std', STD.join()];
    run('export', ...model, ...pixels, '--format', 'onnx', '--out', onnx);
    const said = JSON.parse(run('classify', picture, ...model, ...pixels, '--precision', 'f32', '--top', '1000', '--json'));

    const session = await ort.InferenceSession.create(await readFile(onnx));
    expect([session.inputNames, session.outputNames]).toEqual([['input'], ['logits']]);
    // Two images, to see that the batch is free; the second is all zeros.
    const area = size * size;
    const x = new Float32Array(2 * 3 * area);
    for (let at = 0; at < area; at++) {
      colour(at % size, Math.floor(at / size)).forEach((v, c) => (x[c * area + at] = (v / 255 - MEAN[c]) / STD[c]));
    }
    const { logits } = await session.run({ input: new ort.Tensor('float32', x, [2, 3, size, size]) });
    const { top } = said.images[0];
    expect(logits.dims).toEqual([2, top.length]);
    const theirs = logits.data.slice(0, top.length);
    expect(theirs.indexOf(Math.max(...theirs)), 'top-1').toBe(top[0].class);
    // The logarithms of our probabilities are our logits up to one number, the same for all classes.
    const sum = Math.log(theirs.reduce((sum, v) => sum + Math.exp(v), 0));
    for (const { class: i, probability } of top) {
      expect(Math.abs(theirs[i] - sum - Math.log(probability)), `logit ${i}`).toBeLessThan(1e-3);
    }
    await session.release();
  });
}
