// Pictures made in the test: PNG files of flat colours with noise, in one folder a class.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind, 'latin1'), data]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(data.length, 0);
  body.copy(whole, 4);
  whole.writeUInt32BE(crc32(body) >>> 0, body.length + 4);
  return whole;
}

/** An 8-bit RGB PNG; `colour(x, y)` gives three numbers of 0 to 255. */
export function png(width, height, colour) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows.set(colour(x, y), y * (1 + 3 * width) + 1 + 3 * x);
  }
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

/** Repeats from its seed (mulberry32). */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Stripes of a class's direction in colours of chance: what colour alone does not tell. */
export function stripes(kind, seed, side = 40) {
  const chance = random(seed);
  const dark = [0, 1, 2].map(() => chance() * 90);
  const bright = [0, 1, 2].map(() => 150 + chance() * 90);
  const phase = chance() * 8;
  return png(side, side, (x, y) => {
    const along = kind === 'flat' ? y : x;
    const from = (along + phase) % 10 < 5 ? dark : bright;
    return from.map((value) => Math.max(0, Math.min(255, value + chance() * 30 - 15)));
  });
}

/** Writes `folders` ({ class: { file: content } }) to a temporary folder; gives its path and a function that removes it. */
export async function folder(folders) {
  const root = await mkdtemp(join(tmpdir(), 'reslab-e2e-'));
  for (const [name, files] of Object.entries(folders)) {
    await mkdir(join(root, name), { recursive: true });
    await Promise.all(Object.entries(files).map(([file, content]) => writeFile(join(root, name, file), content)));
  }
  return { path: root, remove: () => rm(root, { recursive: true, force: true }) };
}
