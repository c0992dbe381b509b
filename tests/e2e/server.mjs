// Serves a built page on loopback, as a careful host would: right MIME types, a strict Content-Security-Policy, cross-origin
// isolation, byte ranges. Used by the end-to-end tests; `node server.mjs --help` for people.

import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
};

// No inline script, no eval, nothing from other hosts but model files the user picked (https:) or a mirror of them on
// loopback. Style attributes are allowed, style elements are not.
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "style-src-attr 'unsafe-inline'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self' blob: https: http://127.0.0.1:* ws://127.0.0.1:*",
  "worker-src 'self' blob:",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Starts a server of static files.
 * @param {object} options
 * @param {string} options.root folder served at `/`
 * @param {Record<string, string>} [options.mounts] further folders by URL prefix, e.g. `{ '/hub': dir }`
 * @param {number} [options.port] 0 lets the system choose
 * @param {string} [options.head] HTML put at the start of the page's head, e.g. a `<meta>`
 * @param {boolean} [options.open] answer other origins too (CORS), as a model hub does
 * @param {boolean} [options.framed] let pages of other sites show this one in a frame
 * @returns {Promise<{ url: string, requests: { method: string, path: string, range?: string }[], close: () => Promise<void> }>}
 */
export async function serve({ root, mounts = {}, port = 0, head = '', open = false, framed = false }) {
  const folders = Object.entries(mounts).map(([prefix, dir]) => [prefix.replace(/\/*$/, '/'), resolve(dir)]);
  folders.push(['/', resolve(root)]);
  const requests = [];
  const server = createServer((request, response) => {
    answer(request, response, { folders, head, open, framed }, requests).catch((error) => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(String(error));
    });
  });
  await new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, '127.0.0.1', done);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    requests,
    close: () =>
      new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      }),
  };
}

async function answer(request, response, { folders, head, open, framed }, requests) {
  const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
  requests.push({ method: request.method, path, range: request.headers.range });
  const headers = {
    'accept-ranges': 'bytes',
    'cache-control': 'no-cache',
    'content-security-policy': framed ? CONTENT_SECURITY_POLICY.replace(/; frame-ancestors.*/, '') : CONTENT_SECURITY_POLICY,
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': open ? 'cross-origin' : 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  };
  if (open) {
    headers['access-control-allow-origin'] = '*';
    headers['access-control-allow-headers'] = 'range';
    headers['access-control-expose-headers'] = 'content-length, content-range, accept-ranges, etag';
  }
  const refuse = (status, text) => {
    response.writeHead(status, { ...headers, 'content-type': 'text/plain; charset=utf-8' });
    response.end(`${text}\n`);
  };
  if (request.method === 'OPTIONS' && open) return refuse(204, '');
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405, 'GET or HEAD only');

  // The last folder is `/`, so one always fits.
  const [prefix, dir] = folders.find(([prefix]) => path.startsWith(prefix));
  let file = normalize(join(dir, path.slice(prefix.length)));
  if (file !== dir && !file.startsWith(dir + sep)) return refuse(404, 'not found');
  if (path.endsWith('/')) file = join(file, 'index.html');
  const info = await stat(file).catch(() => null);
  if (!info?.isFile()) return refuse(404, 'not found');

  headers['content-type'] = TYPES[extname(file).toLowerCase()] ?? 'application/octet-stream';
  headers.etag = `"${info.size.toString(16)}-${Math.round(info.mtimeMs).toString(16)}"`;
  if (head && path === '/') {
    response.writeHead(200, headers);
    const page = (await readFile(file, 'utf8')).replace('<head>', `<head>${head}`);
    // What a build for a hub of one's own writes there: mirrors in tests are on loopback.
    return response.end(page.replace("connect-src 'self'", "connect-src 'self' http://127.0.0.1:*"));
  }
  let status = 200;
  let start = 0;
  let end = info.size - 1;
  const range = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
  const stale = request.headers['if-range'] && request.headers['if-range'] !== headers.etag;
  if (range && !stale && (range[1] || range[2])) {
    start = range[1] ? Number(range[1]) : Math.max(0, info.size - Number(range[2]));
    end = range[1] && range[2] ? Math.min(Number(range[2]), end) : end;
    if (start > end) {
      headers['content-range'] = `bytes */${info.size}`;
      return refuse(416, 'no such range');
    }
    status = 206;
    headers['content-range'] = `bytes ${start}-${end}/${info.size}`;
  }
  headers['content-length'] = Math.max(0, end - start + 1);
  response.writeHead(status, headers);
  if (request.method === 'HEAD' || info.size === 0) return response.end();
  const stream = createReadStream(file, { start, end });
  stream.on('error', () => response.destroy());
  response.on('close', () => stream.destroy());
  stream.pipe(response);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const args = process.argv.slice(2);
  const value = (name, otherwise) => (args.includes(name) ? args[args.indexOf(name) + 1] : otherwise);
  if (args.includes('--help')) {
    console.log('node server.mjs [--root ../../dist] [--port 4173] [--mount /hub=DIR]...');
    process.exit(0);
  }
  const mounts = Object.fromEntries(
    args.flatMap((arg, i) => (args[i - 1] === '--mount' ? [[arg.slice(0, arg.indexOf('=')), arg.slice(arg.indexOf('=') + 1)]] : [])),
  );
  const here = fileURLToPath(new URL('.', import.meta.url));
  const { url } = await serve({
    root: value('--root', join(here, '../../dist')),
    port: Number(value('--port', '4173')),
    mounts,
  });
  console.log(url);
}
