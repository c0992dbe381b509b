// The WebAssembly build of speed.rs in Node:
// cargo build --release -p reslab-cpu --example speed --target wasm32-unknown-unknown
// node src/cpu/examples/speed.mjs target/wasm32-unknown-unknown/release/examples/speed.wasm resnet18 1 forward
import { readFileSync } from 'node:fs';

const [file, network = 'resnet18', batch = '1', mode = 'forward'] = process.argv.slice(2);
let memory;
const host = {
    // Time that the process ran, so that it can be measured beside other work.
    now: () => process.cpuUsage().user / 1000,
    print: (at, length) => console.log(new TextDecoder().decode(new Uint8Array(memory.buffer, at, length))),
};
const { instance } = await WebAssembly.instantiate(readFileSync(file), { host });
memory = instance.exports.memory;
instance.exports.measure(['resnet18', 'resnet50', 'resnet20'].indexOf(network), Number(batch), Number(mode === 'train'));
