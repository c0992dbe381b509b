// A mirror of the model hub on loopback, as the real one behaves: /timm/NAME/resolve/main/model.safetensors redirects to
// another host with a signed address, that one answers with ETag and byte ranges, and both allow other origins (CORS). It
// can also misbehave on demand: break a connection off, stop in the middle of a file, publish a new version.

import { once } from 'node:events';
import { createServer } from 'node:http';

const CHUNK = 256 * 1024;

/**
 * Starts the mirror.
 * @returns the mirror: `url` for the page; `requests` with what was asked; `faults` to set; `close()`
 */
export async function startHub() {
  const files = new Map();
  const requests = [];
  const faults = {
    /** Close the connection once after so many bytes of a body. */
    cutOnceAfter: Infinity,
    /** Send so many bytes of a body, then wait for `release()`. */
    holdAfter: Infinity,
    /** Answer every request for a file with this status. */
    status: 0,
    /** Part of the ETag: change it and the file is another version. */
    version: 1,
  };
  let release = () => {};
  const file = (name) => {
    if (!files.has(name)) files.set(name, resnet(name.replace(/\..*/, '')));
    return files.get(name);
  };

  const cdn = await listen((request, response) => {
    const url = new URL(request.url, 'http://cdn');
    const name = decodeURIComponent(url.pathname.slice(1));
    requests.push({ method: request.method, name, range: request.headers.range, ifRange: request.headers['if-range'] });
    const headers = {
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'ETag, Content-Range, Accept-Ranges',
      'access-control-max-age': '0',
      'cross-origin-resource-policy': 'cross-origin',
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
    };
    if (request.method === 'OPTIONS') return end(response, 403, headers, 'no preflight is needed for this');
    if (url.searchParams.get('signature') !== 'valid') return end(response, 403, headers, 'not signed');
    if (faults.status) return end(response, faults.status, headers, 'on demand');
    const bytes = file(name);
    headers.etag = `"${name}-${faults.version}"`;
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = range ? Number(range[1]) : 0;
    if (from >= bytes.length) return end(response, 416, { ...headers, 'content-range': `bytes */${bytes.length}` }, '');
    if (range) headers['content-range'] = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    headers['content-length'] = bytes.length - from;
    response.writeHead(range ? 206 : 200, headers);
    send(response, bytes.subarray(from)).catch(() => response.destroy());
  });

  const hub = await listen((request, response) => {
    const match = /^\/timm\/([\w.]+)\/resolve\/main\/model\.safetensors$/.exec(request.url);
    const headers = { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' };
    if (request.method === 'OPTIONS') return end(response, 403, headers, 'no preflight is needed for this');
    if (!match) return end(response, 404, headers, 'Entry not found');
    end(response, 302, { ...headers, location: `${cdn.url}/${match[1]}?signature=valid` }, '');
  });

  async function send(response, bytes) {
    const closed = new AbortController();
    response.once('close', () => closed.abort());
    for (let at = 0; at < bytes.length && !response.destroyed; at += CHUNK) {
      if (at >= faults.cutOnceAfter) {
        faults.cutOnceAfter = Infinity;
        response.destroy();
        return;
      }
      if (at >= faults.holdAfter) await new Promise((go) => (release = go));
      const piece = bytes.subarray(at, at + CHUNK);
      if (!response.write(piece)) await once(response, 'drain', { signal: closed.signal }).catch(() => {});
    }
    response.end();
  }

  return {
    url: hub.url,
    requests,
    faults,
    /** Lets a held body go on. */
    release: () => {
      faults.holdAfter = Infinity;
      release();
    },
    size: (name) => file(name).length,
    close: () => Promise.all([hub.close(), cdn.close()]),
  };
}

function end(response, status, headers, text) {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

async function listen(answer) {
  const server = createServer(answer);
  await new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(0, '127.0.0.1', done);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () =>
      new Promise((done) => {
        // An error means that it is closed already.
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** A safetensors file with the names and shapes of timm's resnet18 or resnet34 and made-up numbers. */
function resnet(arch) {
  const depths = { resnet18: [2, 2, 2, 2], resnet34: [3, 4, 6, 3] }[arch];
  if (!depths) throw new Error(`the mirror has no ${arch}`);
  const tensors = [];
  const conv = (name, out, inputs, kernel) => tensors.push([`${name}.weight`, [out, inputs, kernel, kernel]]);
  const norm = (name, channels) => {
    for (const part of ['weight', 'bias', 'running_mean', 'running_var']) tensors.push([`${name}.${part}`, [channels]]);
  };
  conv('conv1', 64, 3, 7);
  norm('bn1', 64);
  let inputs = 64;
  depths.forEach((blocks, stage) => {
    const channels = 64 << stage;
    for (let block = 0; block < blocks; block++) {
      const name = `layer${stage + 1}.${block}`;
      conv(`${name}.conv1`, channels, inputs, 3);
      norm(`${name}.bn1`, channels);
      conv(`${name}.conv2`, channels, channels, 3);
      norm(`${name}.bn2`, channels);
      if (inputs !== channels) {
        conv(`${name}.downsample.0`, channels, inputs, 1);
        norm(`${name}.downsample.1`, channels);
      }
      inputs = channels;
    }
  });
  tensors.push(['fc.weight', [1000, inputs]], ['fc.bias', [1000]]);

  const header = {};
  let offset = 0;
  for (const [name, shape] of tensors) {
    const count = shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + 4 * count] };
    offset += 4 * count;
  }
  let text = JSON.stringify(header);
  text = text.padEnd(Math.ceil(text.length / 8) * 8);
  const bytes = Buffer.alloc(8 + text.length + offset);
  bytes.writeBigUInt64LE(BigInt(text.length));
  bytes.write(text, 8, 'latin1');
  const numbers = new Float32Array(bytes.buffer, bytes.byteOffset + 8 + text.length, offset / 4);
  let at = 0;
  let seed = 1;
  for (const [name, shape] of tensors) {
    const count = shape.reduce((a, b) => a * b, 1);
    const spread = Math.sqrt((6 * shape[0]) / count);
    for (let i = 0; i < count; i++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      const unit = seed / 2 ** 32;
      if (name.endsWith('running_var')) numbers[at++] = 0.5 + unit;
      else if (shape.length === 1) numbers[at++] = name.endsWith('weight') ? 1 : 0;
      else numbers[at++] = (unit * 2 - 1) * spread;
    }
  }
  return bytes;
}
