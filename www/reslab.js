// The classifier as an ES module for other pages: what people write against. It starts the wasm, looks at what it is given and says what
// is wrong with it; the work is done behind it (src/module.rs). Types: reslab.d.ts. Manual: docs/export.md.

import start, { Classifier as Core, processor_from } from './reslab-bindings.js';

let starting;

/** Starts the module: once is enough, more often does no harm. */
export default function init(options) {
  // Said here and not in the wasm, so that bundlers see the address and take the worker along.
  starting ??= start(options).then(
    () => processor_from(() => new Worker(new URL('./processor.js', import.meta.url), { type: 'module' })),
    (error) => {
      starting = undefined;
      throw error;
    },
  );
  return starting.then(() => undefined);
}

const MADE_BY_LOAD = Symbol('made by load');

export class Classifier {
  #core;

  constructor(key, core) {
    if (key !== MADE_BY_LOAD) throw new TypeError('a classifier is made by `await Classifier.load(address or bytes)`, not by `new`');
    this.#core = core;
  }

  /** Opens the device and loads a model, by its address or as bytes. */
  static async load(source, options) {
    if (!starting) throw new Error('reslab.js has not been started: call `await init()`, its default export, before Classifier.load');
    await starting;
    const given = checked('Classifier.load', options, LOAD);
    return new Classifier(MADE_BY_LOAD, await Core.load(source, given, given?.onProgress));
  }

  /** Says what a picture shows. Calls that come while one is under way wait for it. */
  async classify(source, options) {
    return this.#live('classify').classify(source, checked('classify', options, CLASSIFY));
  }

  get name() {
    return this.#live('name').name;
  }

  get architecture() {
    return this.#live('architecture').architecture;
  }

  get assumed() {
    return this.#live('assumed').assumed;
  }

  get notes() {
    return this.#live('notes').notes;
  }

  get labels() {
    return this.#live('labels').labels;
  }

  get inputSize() {
    return this.#live('inputSize').inputSize;
  }

  get device() {
    return this.#live('device').device;
  }

  /** Gives the device's memory back; what is under way still ends. */
  free() {
    this.#core?.free();
    this.#core = undefined;
  }

  #live(what) {
    if (!this.#core) throw new Error(`this classifier was given back with free(), so \`${what}\` cannot be used; load it again`);
    return this.#core;
  }
}

// `using classifier = await Classifier.load(...)`, where the browser knows it.
if (Symbol.dispose) Classifier.prototype[Symbol.dispose] = Classifier.prototype.free;

// Options: what each has to be, in words and as a test.
const text = ['a text', (value) => typeof value === 'string'];
const truth = ['true or false', (value) => typeof value === 'boolean'];
const whole = (least) => [`a whole number from ${least}`, (value) => Number.isSafeInteger(value) && value >= least && value < 2 ** 31];
const one = (...words) => [words.map((word) => `'${word}'`).join(', ').replace(/, ([^,]*)$/, ' or $1'), (value) => words.includes(value)];

const LOAD = {
  name: text,
  labels: ['a list of texts', (value) => Array.isArray(value) && value.every(text[1])],
  preset: text,
  precision: one('auto', 'f32', 'f16'),
  device: one('auto', 'gpu', 'cpu', 'software'),
  as: text,
  stemStride: whole(1),
  stemPool: truth,
  strideOn: one('conv3x3', 'conv1x1'),
  ema: truth,
  prefix: text,
  config: ['a text or an object', (value) => typeof value === 'string' || (typeof value === 'object' && !Array.isArray(value))],
  onProgress: ['a function', (value) => typeof value === 'function'],
};
const CLASSIFY = {
  top: whole(1),
  heatmap: ["'top' or the index of a class", (value) => value === 'top' || whole(0)[1](value)],
};

/** The options that are set, once each is what it has to be. */
function checked(where, options, known) {
  const wrong = (why) => new TypeError(`the options of ${where} cannot be used: ${why}`);
  if (options === undefined || options === null) return undefined;
  if (typeof options !== 'object' || Array.isArray(options)) throw wrong(`an object was expected, not ${shown(options)}`);
  const set = {};
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(known, name)) throw wrong(`there is no \`${name}\`; there are: ${Object.keys(known).join(', ')}`);
    if (value === undefined || value === null) continue;
    const [expected, fits] = known[name];
    if (!fits(value)) throw wrong(`${name} is ${expected}, not ${shown(value)}`);
    set[name] = value;
  }
  return set;
}

function shown(value) {
  if (typeof value === 'string') return `'${value.length > 40 ? `${value.slice(0, 40)}…` : value}'`;
  if (Array.isArray(value)) return 'a list';
  return ['object', 'function'].includes(typeof value) ? `a value of type ${typeof value}` : `${String(value)}`;
}
