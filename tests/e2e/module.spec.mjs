// reslab.js, the classifier for other pages: the example page, every kind of picture, errors, and the TypeScript declarations.

import { expect, test } from '@playwright/test';
import { readFile } from 'node:fs/promises';
import ts from 'typescript';
import { watch } from './pages/app.mjs';
import { png } from './pages/pictures.mjs';

const dist = (file) => new URL(`../../dist/${file}`, import.meta.url).pathname;
const sample = (name) => new URL(`../../www/samples/${name}.webp`, import.meta.url).pathname;

/** The first line of an answer, once it is there. */
const first = (page, id) => page.locator(`#${id}-answer li`).first();

test('the example page classifies an element, a file and a canvas', async ({ page, baseURL }) => {
  const seen = watch(page);
  await page.goto('/example.html');
  await expect(page.locator('body')).toHaveAttribute('data-ready', 'true');
  await expect(page.locator('#status')).toContainText('resnet20 knows 10 things: airplane');
  await expect(first(page, 'photo')).toContainText('ship');
  await expect(first(page, 'canvas')).toContainText('ship');
  await page.getByRole('button', { name: 'horse' }).click();
  await expect(first(page, 'photo')).toContainText('horse');
  await page.getByLabel('Choose a picture').setInputFiles(sample('frog'));
  await expect(first(page, 'file')).toContainText('frog');
  await expect(page.locator('#file-answer li')).toHaveCount(3);
  // A file that is no picture gets a sentence in the same place.
  await page.getByLabel('Choose a picture').setInputFiles({ name: 'notes.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('words') });
  await expect(first(page, 'file')).toContainText('notes.jpg: This is not a picture');
  expect(seen.errors).toEqual([]);
  expect(seen.hosts()).toEqual([new URL(baseURL).host]);
});

test('every kind of picture gives the same answer', async ({ page }) => {
  await page.goto('/bench.html'); // any page of this host
  const found = await page.evaluate(async () => {
    const { default: init, Classifier } = await import('/reslab.js');
    await init();
    const shares = [];
    const model = await (await fetch('/models/resnet20-cifar10.safetensors')).arrayBuffer();
    const classifier = await Classifier.load(model, { name: 'cifar', precision: 'f32', onProgress: (share) => shares.push(share) });
    const element = new Image();
    element.src = '/samples/cat.webp'; // not loaded yet: it is waited for
    const blob = await (await fetch('/samples/cat.webp')).blob();
    const sources = { element, blob };
    const bitmap = (sources.bitmap = await createImageBitmap(blob));
    const { width, height } = bitmap;
    const canvas = (sources.canvas = Object.assign(document.createElement('canvas'), { width, height }));
    const context = canvas.getContext('2d');
    context.drawImage(bitmap, 0, 0);
    sources.data = context.getImageData(0, 0, width, height);
    sources.address = '/samples/cat.webp';
    sources.url = new URL('/samples/cat.webp', location.href);
    sources.response = await fetch('/samples/cat.webp');
    sources.bytes = await blob.arrayBuffer();
    sources.frame = new VideoFrame(bitmap, { timestamp: 0 });
    sources.offscreen = new OffscreenCanvas(width, height);
    sources.offscreen.getContext('2d').drawImage(bitmap, 0, 0);
    const video = (sources.video = document.createElement('video'));
    video.muted = true;
    video.srcObject = canvas.captureStream(10);
    context.drawImage(bitmap, 0, 0); // a frame for the stream
    await video.play();
    // All at once: they wait for each other.
    const answers = await Promise.all(
      Object.entries(sources).map(async ([kind, source]) => [kind, await classifier.classify(source, { top: 2 })]),
    );
    const all = await classifier.classify(bitmap, { top: 99 });
    const map = (await classifier.classify(bitmap, { heatmap: 'top' })).heatmap;
    const other = (await classifier.classify(bitmap, { heatmap: 5 })).heatmap;
    const heatmaps = [map, other].map(({ values, ...rest }) => ({ ...rest, count: values.length, peak: Math.max(...values) }));
    const { name, architecture, labels, inputSize, device } = classifier;
    classifier.free();
    return { answers, all, shares, heatmaps, facts: { name, architecture, labels, inputSize, software: device.software } };
  });
  expect(found.facts).toEqual({
    name: 'cifar',
    architecture: 'resnet20',
    labels: ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'],
    inputSize: { width: 32, height: 32 },
    software: expect.any(Boolean),
  });
  expect(found.shares.at(-1)).toBe(1);
  // The last feature map is 8 x 8; the second map is a dog's.
  const map = { width: 8, height: 8, count: 64, peak: expect.any(Number) };
  expect(found.heatmaps).toEqual([{ index: 3, ...map, peak: 1 }, { index: 5, ...map }]);
  expect(found.all.classes.map((c) => c.probability).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
  const [best] = found.all.classes;
  expect(best).toEqual({ label: 'cat', index: 3, probability: expect.any(Number) });
  for (const [kind, { classes, ms }] of found.answers) {
    expect(classes, kind).toHaveLength(2);
    expect(classes[0].label, kind).toBe('cat');
    expect(ms, kind).toBeGreaterThan(0);
    // A video's frames are another colour space's, rounded; the others are the same pixels.
    expect(Math.abs(classes[0].probability - best.probability), kind).toBeLessThan(kind === 'video' ? 0.1 : 1e-4);
  }
});

test('what goes wrong is an Error with a sentence', async ({ page }) => {
  await page.goto('/bench.html');
  const words = await page.evaluate(async (notes) => {
    const { default: init, Classifier } = await import('/reslab.js');
    await init();
    const fails = async (work) => {
      try {
        await work();
        return 'no error';
      } catch (error) {
        return error instanceof Error ? error.message : `not an Error: ${error}`;
      }
    };
    const load = (...args) => fails(() => Classifier.load(...args));
    const found = {
      absent: await load('/absent.safetensors'),
      picture: await load('/samples/cat.webp'),
      nothing: await load(),
      number: await load(7),
      preset: await load('/models/resnet20-cifar10.safetensors', { preset: 'imagnet' }),
      precision: await load('/models/resnet20-cifar10.safetensors', { precision: 'f8' }),
      labels: await load('/models/resnet20-cifar10.safetensors', { labels: ['a', 'b'] }),
      options: await load('/models/resnet20-cifar10.safetensors', 'fast'),
      unknown: await load('/models/resnet20-cifar10.safetensors', { topK: 3 }),
      names: await load('/models/resnet20-cifar10.safetensors', { labels: [1] }),
      foreign: await load(`${location.origin.replace('127.0.0.1', 'localhost')}/models/resnet20-cifar10.safetensors`),
      page: await load('/example.html'),
      made: await fails(() => new Classifier()),
    };
    const classifier = await Classifier.load('/models/resnet20-cifar10.safetensors');
    const classify = (...args) => fails(() => classifier.classify(...args));
    found.nothingThere = await classify('/samples/absent.webp');
    found.thing = await classify({ cat: true });
    found.empty = await classify(new Image());
    found.video = await classify(document.createElement('video'));
    found.blob = await classify(new Blob([notes]));
    found.top = await classify(new ImageData(4, 4), { top: 'all' });
    found.last1 = await classify(new ImageData(4, 4), { top: -1 });
    found.none = await classify(new ImageData(4, 4), { top: 0 });
    found.truth = await classify(new ImageData(4, 4), { heatmap: true });
    found.heatmap = await classify(new ImageData(4, 4), { heatmap: 10 });
    // Given back while it works: the work that is under way still ends.
    const last = classifier.classify(new ImageData(4, 4));
    classifier.free();
    found.last = (await last).classes.length;
    classifier.free();
    found.after = await classify(new ImageData(4, 4));
    found.name = await fails(() => classifier.name);
    return found;
  }, png(4, 4, () => [1, 2, 3]).toString('latin1').slice(0, 4));
  expect(words.absent).toContain('there is no such file there');
  expect(words.picture).toContain('it is an image');
  expect(words.nothing).toContain('not from undefined');
  expect(words.number).toContain('not from number');
  expect(words.preset).toContain('known are: imagenet');
  expect(words.precision).toBe("the options of Classifier.load cannot be used: precision is 'auto', 'f32' or 'f16', not 'f8'");
  expect(words.labels).toContain('10 classes');
  expect(words.options).toContain('the options of Classifier.load cannot be used');
  expect(words.unknown).toContain('there is no `topK`; there are: name, labels');
  expect(words.names).toContain('labels is a list of texts');
  expect(words.foreign).toContain('CORS');
  expect(words.foreign).toContain('localhost');
  expect(words.page).toContain('/example.html');
  expect(words.page).toContain('a web page came instead of the file');
  expect(words.made).toContain('await Classifier.load');
  expect(words.nothingThere).toContain('there is no such file there');
  expect(words.thing).toContain('This cannot be classified: expected an HTMLImageElement');
  expect(words.last1).toBe('the options of classify cannot be used: top is a whole number from 1, not -1');
  expect(words.none).toContain('from 1, not 0');
  expect(words.truth).toBe("the options of classify cannot be used: heatmap is 'top' or the index of a class, not true");
  expect(words.after).toContain('given back with free(), so `classify` cannot be used');
  expect(words.name).toContain('given back');
  expect(words.empty).toContain('has not loaded');
  expect(words.video).toContain('no frame yet');
  expect(words.blob).toContain('not a picture');
  expect(words.top).toContain('the options of classify cannot be used');
  expect(words.heatmap).toContain('10');
  expect(words.last).toBe(5);
});

test('it is the classifier alone, and its types say how it is used', async () => {
  const wasm = await readFile(dist('reslab-bindings_bg.wasm'), 'latin1');
  expect(wasm.includes('leptos'), 'the page is not part of it').toBe(false);
  const program = (lines, more = {}) => {
    const file = dist('check.ts');
    const options = { strict: true, noEmit: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022, moduleResolution: ts.ModuleResolutionKind.Bundler, types: [], ...more };
    const host = ts.createCompilerHost(options);
    const { getSourceFile, fileExists } = host;
    host.fileExists = (name) => name === file || fileExists(name);
    host.getSourceFile = (name, version) => (name === file ? ts.createSourceFile(name, lines.join('\n'), version) : getSourceFile(name, version));
    const found = ts.getPreEmitDiagnostics(ts.createProgram([file], options, host));
    return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  };
  const start = ["import init, { Classifier, type Prediction, type Source } from './reslab.js';", 'await init();'];
  const load = "const classifier = await Classifier.load(new URL('https://a.b/c'), { labels: ['a'], onProgress: (share: number) => {} });";
  // One program, since reading the browser's own types is what takes the time.
  const lines = [
    ...start,
    load,
    'const sources: Source[] = [new Image(), new Blob(), new ImageData(1, 1), document.createElement("video")];',
    'const { classes, ms } = await classifier.classify(sources[0], { top: 3 });',
    'const map: Float32Array | undefined = (await classifier.classify(sources[1], { heatmap: "top" })).heatmap?.values;',
    'const best: Prediction = classes[0];',
    'const words: string = `${best.label} ${best.index.toFixed()} ${best.probability.toFixed(2)} ${ms.toFixed()}`;',
    'const size: number = classifier.inputSize.width;',
    'const names: string[] = classifier.labels;',
    'const slow: boolean = classifier.device.software;',
    '// @ts-expect-error a number is no picture',
    'await classifier.classify(7);',
    '// @ts-expect-error it is made by load alone',
    'new Classifier();',
    '{ using again = await Classifier.load("b"); await again.classify("cat.jpg", { heatmap: 3 }); }',
    '// @ts-expect-error a number was expected',
    'await classifier.classify(new Image(), { top: "3" });',
    'classifier.free();',
    'export { map, words, size, names, slow };',
  ];
  expect(program(lines)).toEqual([]);
  // A worker has no elements, and everything else.
  const worker = [
    ...start,
    'const classifier = await Classifier.load("a", { device: "cpu" });',
    'const sources: Source[] = [new OffscreenCanvas(1, 1), new Blob(), new ImageData(1, 1), new Response(), "a.jpg"];',
    'postMessage((await classifier.classify(sources[0])).classes satisfies Prediction[]);',
    'export {};',
  ];
  expect(program(worker, { lib: ['lib.es2022.d.ts', 'lib.webworker.d.ts'] })).toEqual([]);
});

test('before it is started it says so, it starts once, and it works in a worker', async ({ page, baseURL }) => {
  const seen = watch(page);
  await page.goto('/example.css'); // nothing of ours runs there
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const early = await page.evaluate(async () => {
    const { default: init, Classifier } = await import('/reslab.js');
    let thrown = false;
    const loading = (() => {
      try {
        return Classifier.load('/models/resnet20-cifar10.safetensors');
      } catch {
        thrown = true;
      }
    })();
    const words = await loading.then(() => '', (error) => error.message);
    // Two at once, as StrictMode has it; a load right after the start waits for it.
    const again = init().then(() => Classifier.load('/models/resnet20-cifar10.safetensors'));
    const other = Classifier.load('/models/resnet20-cifar10.safetensors', { device: 'cpu' });
    const both = await Promise.all([again, other]);
    const names = both.map((classifier) => classifier.name);
    both.forEach((classifier) => classifier[Symbol.dispose]());
    return { thrown, words, names };
  });
  expect(early.thrown, 'a promise that is rejected').toBe(false);
  expect(early.words).toContain('call `await init()`');
  expect(early.names).toEqual(['resnet20-cifar10.safetensors', 'resnet20-cifar10.safetensors']);
  expect(asked.filter((path) => path === '/reslab-bindings_bg.wasm')).toHaveLength(1);

  const script = `
    import init, { Classifier } from '${baseURL}/reslab.js';
    onmessage = async () => {
      const answers = {};
      try {
        await init();
        for (const device of ['cpu', 'software']) {
          const classifier = await Classifier.load('${baseURL}/models/resnet20-cifar10.safetensors', { device });
          const blob = await (await fetch('${baseURL}/samples/frog.webp')).blob();
          const { classes } = await classifier.classify(blob, { top: 1 });
          const { classes: drawn } = await classifier.classify(await createImageBitmap(blob), { top: 1 });
          answers[device] = [classes[0].label, drawn[0].label, classifier.device.name];
          classifier.free();
        }
      } catch (error) {
        answers.error = error.message;
      }
      postMessage(answers);
    };`;
  await page.route('**/worker.js', (route) => route.fulfill({ contentType: 'text/javascript', body: script, headers: { 'cross-origin-embedder-policy': 'require-corp' } }));
  const answers = await page.evaluate(async () => {
    const worker = new Worker('/worker.js', { type: 'module' });
    return await new Promise((done, fail) => {
      worker.onmessage = ({ data }) => done(data);
      worker.onerror = (event) => fail(new Error(`the worker: ${event.message}`));
      worker.postMessage('go');
    });
  });
  expect(answers).toEqual({ cpu: ['frog', 'frog', expect.any(String)], software: ['frog', 'frog', expect.stringMatching(/\w/)] });
  expect(seen.errors).toEqual([]);
});
