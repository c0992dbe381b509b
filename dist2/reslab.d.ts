/* tslint:disable */
/* eslint-disable */
/** What can be classified. Elements, bitmaps and canvases count in their own size, a video with its present frame. */
export type Source =
| HTMLImageElement | HTMLVideoElement | HTMLCanvasElement | OffscreenCanvas | ImageBitmap | ImageData | Blob;

/** How to load a model. */
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

/** What to say of a picture. */
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



/**
 * A network on this device's GPU.
 */
export class Classifier {
    private constructor();
    free(): void;
    /**
     * Says what a picture shows. Calls that come while one is under way wait for it.
     */
    classify(source: Source, options?: ClassifyOptions): Promise<Classification>;
    /**
     * Opens the GPU and loads a model: safetensors or a PyTorch file, by its address or as bytes.
     */
    static load(source: string | URL | ArrayBuffer | Uint8Array | Blob, options?: LoadOptions): Promise<Classifier>;
    /**
     * Its network, `resnet18`.
     */
    readonly architecture: string;
    /**
     * What the file could not tell and was assumed, as sentences.
     */
    readonly assumed: string[];
    /**
     * What it runs on.
     */
    readonly device: Device;
    /**
     * Width and height in pixels of what the network sees. Pictures of any size are brought to it.
     */
    readonly inputSize: { width: number; height: number };
    /**
     * What it can answer, in the order of the network's outputs; a network with one output answers its name or "not" it.
     */
    readonly labels: string[];
    /**
     * What the model is called.
     */
    readonly name: string;
    /**
     * What else is to be known of how the file was read, as sentences.
     */
    readonly notes: string[];
}

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export type InitOutput = object;

export type SyncInitInput = BufferSource | WebAssembly.Module;

/**
 * Instantiates the given `module`, which can either be bytes or
 * a precompiled `WebAssembly.Module`.
 *
 * @param {{ module: SyncInitInput }} module - Passing `SyncInitInput` directly is deprecated.
 *
 * @returns {InitOutput}
 */
export function initSync(module: { module: SyncInitInput } | SyncInitInput): InitOutput;

/**
 * If `module_or_path` is {RequestInfo} or {URL}, makes a request and
 * for everything else, calls `WebAssembly.instantiate` directly.
 *
 * @param {{ module_or_path: InitInput | Promise<InitInput> }} module_or_path - Passing `InitInput` directly is deprecated.
 *
 * @returns {Promise<InitOutput>}
 */
export default function __wbg_init (module_or_path?: { module_or_path: InitInput | Promise<InitInput> } | InitInput | Promise<InitInput>): Promise<InitOutput>;
