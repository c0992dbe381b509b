// A page with reslab.js, and nothing else: it loads the model that ships with ResLab and classifies three kinds of pictures.

import init, { Classifier } from './reslab.js';

const at = (id) => document.getElementById(id);
const SAMPLES = ['ship', 'cat', 'horse'];

/** Shows the three most probable classes of a picture in a list. */
async function answer(source, list) {
  // The newest question wins: answers may come after another picture was chosen.
  const asked = (list.asked = {});
  try {
    const { classes, ms } = await classifier.classify(source, { top: 3 });
    if (list.asked !== asked) return;
    list.replaceChildren(
      ...classes.map(({ label, probability }) => {
        const line = document.createElement('li');
        const share = document.createElement('span');
        share.textContent = `${(100 * probability).toFixed(1)} %`;
        line.append(label, share);
        line.style.setProperty('--share', probability);
        return line;
      }),
    );
    list.title = `${ms.toFixed(0)} ms`;
  } catch (error) {
    if (list.asked !== asked) return;
    const line = document.createElement('li');
    line.className = 'error';
    line.textContent = error.message;
    list.replaceChildren(line);
  }
}

/** Draws the photograph turned, and asks what it is now. */
async function turn() {
  const canvas = at('canvas');
  const context = canvas.getContext('2d');
  const degrees = Number(at('angle').value);
  at('degrees').textContent = `${degrees}°`;
  await at('photo').decode();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.translate(canvas.width / 2, canvas.height / 2);
  context.rotate((degrees * Math.PI) / 180);
  context.drawImage(at('photo'), -canvas.width / 2, -canvas.height / 2, canvas.width, canvas.height);
  await answer(canvas, at('canvas-answer'));
}

async function show(sample) {
  at('photo').src = `samples/${sample}.webp`;
  for (const button of at('samples').children) button.setAttribute('aria-pressed', button.dataset.sample === sample);
  await answer(at('photo'), at('photo-answer'));
  await turn();
}

const begin = performance.now();
let classifier;
try {
  await init();
  classifier = await Classifier.load('models/resnet20-cifar10.safetensors', {
    onProgress: (share) => (at('status').textContent = `Loading the model… ${Math.round(100 * share)} %`),
  });
  const { device, architecture, labels } = classifier;
  const ready = Math.round(performance.now() - begin);
  at('status').textContent =
    `${architecture} knows ${labels.length} things: ${labels.join(', ')}. ` +
    `It was ready after ${ready} ms, on ${device.name || 'your graphics card'}${device.software ? ' (software, slow)' : ''}.`;
} catch (error) {
  at('status').textContent = error.message;
  at('status').classList.add('error');
  throw error;
}

for (const sample of SAMPLES) {
  const button = document.createElement('button');
  button.type = 'button';
  button.dataset.sample = sample;
  button.textContent = sample;
  button.addEventListener('click', () => show(sample));
  at('samples').append(button);
}
at('file').addEventListener('change', async () => {
  const [file] = at('file').files;
  if (!file) return;
  const picture = at('file-picture');
  URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(file);
  picture.hidden = false;
  at('file-hint').hidden = true;
  await answer(file, at('file-answer'));
});
at('angle').addEventListener('input', turn);
await show(SAMPLES[0]);
document.body.dataset.ready = 'true';
