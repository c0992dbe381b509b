// The Web Worker in which the processor computes: takes commands in order and answers those that carry a token. What the commands
// mean is in src/processor.rs, who sends them in src/device/worker.rs.
import init, { Processor } from './reslab-processor.js';

const started = init().then(() => new Processor());
let turn = started;

onmessage = ({ data: [method, token, ...values] }) => {
  turn = turn.catch(() => {}).then(async () => {
    try {
      const value = (await started)[method](...values);
      if (token) postMessage([token, value], value?.buffer ? [value.buffer] : []);
    } catch (error) {
      postMessage([token, undefined, typeof error === 'string' ? error : `${error}`]);
    }
  });
};
