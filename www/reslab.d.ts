/// <reference lib="esnext.disposable" />
// Types of reslab.js. docs/export.md is the manual.

/** A class of the browser's where there is a page; `never` in a worker, whose types do not know it. */
type InPage<Name extends string> = typeof globalThis extends { [K in Name]: { prototype: infer Instance } } ? Instance : never;

/**
 * What can be classified: elements, bitmaps, canvases and frames count in their own size, a video with its present frame. Files come as a
 * `Blob`, as bytes, as a `Response`, or by their address, which is fetched.
 */
export type Source =
  | InPage<'HTMLImageElement'> | InPage<'HTMLVideoElement'> | InPage<'HTMLCanvasElement'> | InPage<'VideoFrame'>
  | OffscreenCanvas | ImageBitmap | ImageData | Blob | Response | ArrayBuffer | Uint8Array | string | URL;

/** How to load a model. Options that do not exist are refused. */
export interface LoadOptions {
  /** Name for errors and `classifier.name`; by default that of the file. */
  name?: string;
  /** Class names in the order of the network's outputs; by default the file's. */
  labels?: string[];
  /** Name of a preset of the pixels (`imagenet`, `timm-a1`, `cifar`, ...); by default what the file says. */
  preset?: string;
  /**
   * What computes: `auto`, the default, is a graphics card, else the processor (in a Web Worker); `gpu`, `cpu` and `software` are that one
   * or an error.
   */
  device?: 'auto' | 'gpu' | 'cpu' | 'software';
  /** What the file does not say itself: the network's name, where others have the same shapes (`resnet50-caffe`, ...). */
  as?: string;
  /** Step of the first convolution. */
  stemStride?: number;
  /** Whether a max pool follows it. */
  stemPool?: boolean;
  /** Which convolution of a bottleneck block has the stride. */
  strideOn?: 'conv3x3' | 'conv1x1';
  /** `false`: the weights as they were last, where the file also holds their average. */
  ema?: boolean;
  /** Which network of a file with several: what its names begin with. */
  prefix?: string;
  /** The text or content of a `config.json` that belongs to the file. */
  config?: string | object;
  /** Element type on the GPU. `auto`, the default, is f16 on a real GPU that has it and f32 elsewhere. */
  precision?: 'auto' | 'f32' | 'f16';
  /** Hears of the share done, 0 to 1. */
  onProgress?: (share: number) => void;
}

/** What to say of a picture. Options that do not exist are refused. */
export interface ClassifyOptions {
  /** How many classes, the most probable first; 5 by default. */
  top?: number;
  /** Where the network looks for a class: that of this index, or the most probable one. Takes a second pass. */
  heatmap?: number | 'top';
}

/** A class and how probable it is. */
export interface Prediction {
  label: string;
  /** Which of the network's outputs it is, counted from 0. */
  index: number;
  /** 0 to 1; over all classes they add up to 1, unless the network was trained with a sigmoid. */
  probability: number;
}

/** How much each part of what the network sees, the central crop of the picture, speaks for a class. */
export interface Heatmap {
  index: number;
  width: number;
  height: number;
  /** Row by row, 0 to 1. */
  values: Float32Array;
}

/** What a picture shows. */
export interface Classification {
  classes: Prediction[];
  /** Milliseconds from its pixels to the probabilities. */
  ms: number;
  /** Where it was asked for. */
  heatmap?: Heatmap;
}

/** What the network runs on. */
export interface Device {
  kind: 'gpu' | 'cpu' | 'software';
  name: string;
  /** A CPU that stands in for a GPU: slow. */
  software: boolean;
}

/** Where the wasm lies, if not beside the module: an address, a response, or its bytes. */
export interface InitOptions {
  module_or_path?: string | URL | Request | Response | BufferSource | WebAssembly.Module | Promise<Response>;
}

/** Starts the module: once is enough, more often does no harm. */
export default function init(options?: InitOptions): Promise<void>;

/** A network on this device. Made by `load` alone. */
export class Classifier {
  private constructor();
  /** Opens the device and loads a model: weights of any kind that ResLab reads, by their address or as bytes. */
  static load(source: string | URL | ArrayBuffer | Uint8Array | Blob, options?: LoadOptions): Promise<Classifier>;
  /** Says what a picture shows. Calls that come while one is under way wait for it. */
  classify(source: Source, options?: ClassifyOptions): Promise<Classification>;
  /** What the model is called. */
  readonly name: string;
  /** Its network, `resnet18`. */
  readonly architecture: string;
  /** What the file could not tell and was assumed, as sentences. */
  readonly assumed: string[];
  /** What else is to be known of how the file was read, as sentences. */
  readonly notes: string[];
  /** What it can answer, in the order of the network's outputs; a network with one output answers its name or "not" it. */
  readonly labels: string[];
  /** Width and height in pixels of what the network sees. Pictures of any size are brought to it. */
  readonly inputSize: { width: number; height: number };
  /** What it runs on. */
  readonly device: Device;
  /** Gives the device's memory back; what is under way still ends. Every later use but `free` is an error. */
  free(): void;
  [Symbol.dispose](): void;
}
