// What ONNX Runtime makes of the files that `reslab export` writes, held against our own answers: the bundled net, a small
// pre-activation net and a block table of its own. tests/golden/check_onnx.py does the same for every published net.

import { expect, test } from '@playwright/test';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-web';
import { png } from './pages/pictures.mjs';

// `cargo xtask test e2e` builds it and says where it is.
const RESLAB = process.env.RESLAB_BIN ?? new URL('../../target/debug/reslab', import.meta.url).pathname;
const run = (...args) => execFileSync(RESLAB, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

const norm = (name, c) => ['weight', 'bias', 'running_mean', 'running_var'].map((part) => [`${name}.${part}`, [c]]);

// A pre-activation net as Keras Applications writes them: stem pool over zeros, stride in a stage's last block.
const V2 = {
  spec: {
    arch: 'small-v2',
    stem: { channels: 8, kernel: 7, stride: 2, norm: false, relu: false, pool: { kernel: 3, stride: 2, zeros: true } },
    stages: [{ blocks: 2, channels: 32, bottleneck: 8, stride: 2 }],
    order: 'pre-activation',
    shortcut: 'projection-without-norm',
    stride_unit: 'last',
    bias: 'without-norm',
    bn_eps: 1.001e-5,
    classes: 5,
  },
  tensors: [
    ['conv1.weight', [8, 3, 7, 7]],
    ['conv1.bias', [8]],
    ...[0, 1].flatMap((unit) => {
      const at = `layer1.${unit}`;
      const c = unit === 0 ? 8 : 32;
      return [
        ...norm(`${at}.bn1`, c),
        [`${at}.conv1.weight`, [8, c, 1, 1]],
        ...norm(`${at}.bn2`, 8),
        [`${at}.conv2.weight`, [8, 8, 3, 3]],
        ...norm(`${at}.bn3`, 8),
        [`${at}.conv3.weight`, [32, 8, 1, 1]],
        [`${at}.conv3.bias`, [32]],
      ];
    }),
    ['layer1.0.downsample.0.weight', [32, 8, 1, 1]],
    ['layer1.0.downsample.0.bias', [32]],
    ...norm('norm', 32),
    ['fc.weight', [5, 32]],
    ['fc.bias', [5]],
  ],
};

// TensorFlow's SAME padding, where odd sizes pad unevenly, and option A with all zeros behind, to a width that is no multiple of 4.
const CUSTOM = {
  spec: {
    arch: 'my-table',
    stem: { channels: 6, kernel: 5, stride: 2 },
    stages: [
      { blocks: 1, channels: 6, stride: 1 },
      { blocks: 1, channels: 11, stride: 2 },
    ],
    shortcut: 'zero-pad-behind',
    padding: 'same',
    classes: 4,
  },
  tensors: [
    ['conv1.weight', [6, 3, 5, 5]],
    ...norm('bn1', 6),
    ...[
      ['layer1.0', 6, 6],
      ['layer2.0', 6, 11],
    ].flatMap(([at, i, o]) => [
      [`${at}.conv1.weight`, [o, i, 3, 3]],
      ...norm(`${at}.bn1`, o),
      [`${at}.conv2.weight`, [o, o, 3, 3]],
      ...norm(`${at}.bn2`, o),
    ]),
    ['fc.weight', [4, 11]],
    ['fc.bias', [4]],
  ],
};

/** A safetensors file of values that repeat from run to run. */
function safetensors({ spec, tensors }) {
  let state = 12345;
  const chance = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31) - 1; // -1 to 1
  const header = { __metadata__: { arch: spec.arch, spec: JSON.stringify(spec) } };
  const parts = [];
  let end = 0;
  for (const [name, shape] of tensors) {
    const count = shape.reduce((a, b) => a * b);
    const scale = shape.length > 1 ? Math.sqrt(3 / (count / shape[0])) : 0.3;
    const middle = name.endsWith('running_var') || (shape.length === 1 && name.endsWith('weight')) ? 1 : 0;
    parts.push(Float32Array.from({ length: count }, () => middle + scale * chance()));
    header[name] = { dtype: 'F32', shape, data_offsets: [end, (end += 4 * count)] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...parts.map((part) => Buffer.from(part.buffer))]);
}

const MEAN = [0.4, 0.45, 0.5];
const STD = [0.25, 0.2, 0.3];
const colour = (x, y) => [(x * 7 + y) % 256, (x * y) % 256, Math.round(127 + 120 * Math.sin((x + 2 * y) / 5))];

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
