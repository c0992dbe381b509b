// Small networks with weights that repeat from run to run, and a picture for them.

const norm = (name, c) => ['weight', 'bias', 'running_mean', 'running_var'].map((part) => [`${name}.${part}`, [c]]);

// A pre-activation net as Keras Applications writes them: stem pool over zeros, stride in a stage's last block.
export const V2 = {
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
export const CUSTOM = {
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
export function safetensors({ spec, tensors }) {
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

export const MEAN = [0.4, 0.45, 0.5];
export const STD = [0.25, 0.2, 0.3];
export const colour = (x, y) => [(x * 7 + y) % 256, (x * y) % 256, Math.round(127 + 120 * Math.sin((x + 2 * y) / 5))];
