// Models: what is known of the one in use, other ones, and what becomes of wrong files.

import { readFile } from 'node:fs/promises';
import { inflateRawSync } from 'node:zlib';
import { expect, test } from '@playwright/test';
import { watch } from './pages/app.mjs';
import { Lab, bundledModel, file, picture } from './pages/lab.mjs';

const HUB = 'https://huggingface.co/**';

test('says what the model is and what it costs', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const panel = page.getByTestId('model');
  await expect(panel.getByTestId('origin')).toHaveText('ships with the page');
  await expect(panel.getByTestId('arch')).toContainText('resnet20');
  for (const words of ['Parameters', '269,722', 'Classes', 'Memory', 'Dispatches']) await expect(panel).toContainText(words);
});

test('f16 can be chosen exactly where the adapter has it', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const f16 = await page.evaluate(async () => (await navigator.gpu.requestAdapter()).features.has('shader-f16'));
  const choice = page.getByTestId('precision-f16');
  if (!f16) {
    await expect(choice).toBeDisabled();
    await expect(page.getByTestId('precision-note')).toContainText('not available');
    await expect(page.getByTestId('precision-f32')).toBeChecked();
    return;
  }
  await lab.choose(await picture('cat'));
  await expect(lab.best).toBeVisible();
  await choice.check({ force: true });
  await expect(choice).toBeEnabled();
  await expect(choice).toBeChecked();
  await expect(lab.predictions).toHaveCount(5);
});

test('a weights file of one\'s own is dropped like a picture', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await lab.choose(await picture('cat'));
  await expect(lab.best).toBeVisible();
  const before = await lab.best.textContent();
  await lab.drop(file('my-net.safetensors', '', await bundledModel()));
  await expect(lab.modelName).toHaveText('my-net.safetensors');
  await expect(page.getByTestId('origin')).toHaveText('your file');
  // The picture is read again by the new model.
  await expect(page.getByTestId('read-by')).toContainText('my-net.safetensors on');
  await expect(lab.best).toHaveText(before);
  // A picture of what a network does not know is not offered to it.
  const toads = (await bundledModel()).toString('latin1').replace('\\"frog\\"', '\\"toad\\"');
  await lab.drop(file('toads.safetensors', '', Buffer.from(toads, 'latin1')));
  await expect(lab.modelName).toHaveText('toads.safetensors');
  await expect(page.getByTestId('sample').filter({ has: page.getByAltText(/cat/) })).toBeVisible();
  await expect(page.getByAltText('A green frog')).toBeHidden();
});

/** The entries of an archive whose sizes stand in front of each. */
function unzip(archive) {
  const entries = {};
  for (let at = 0; archive.readUInt32LE(at) === 0x04034b50; ) {
    const [packed, name, extra] = [archive.readUInt32LE(at + 18), archive.readUInt16LE(at + 26), archive.readUInt16LE(at + 28)];
    const start = at + 30 + name + extra;
    const contents = archive.subarray(start, start + packed);
    entries[archive.toString('utf8', at + 30, at + 30 + name)] = archive.readUInt16LE(at + 8) === 8 ? inflateRawSync(contents) : contents;
    at = start + packed;
  }
  return entries;
}

test('a TensorFlow checkpoint is dropped as its files or as an archive', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const archive = await readFile(new URL('../fixtures/weights/tensorflow/slim_v1.zip', import.meta.url));
  await lab.openWeights({ name: 'slim.zip', mimeType: 'application/zip', buffer: archive });
  await expect(lab.modelName).toHaveText('slim.zip');
  const entries = Object.entries(unzip(archive));
  await lab.drop(...entries.map(([name, contents]) => file(name, '', contents)));
  await expect(lab.modelName).toHaveText('model.ckpt-100.index');
  await expect(page.getByTestId('arch')).toContainText('v1-slim');
  const alone = entries.find(([name]) => name.endsWith('.index'));
  await lab.drop(file('alone.index', '', alone[1]));
  await expect(lab.modelError).toContainText('alone.data-00000-of-00001');
});

test('a wrong weights file says why, beside the model, and the old model goes on', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const whole = await bundledModel();
  const wrong = [
    file('nothing.safetensors', '', ''),
    file('words.pth', '', 'these are no tensors'),
    file('half.safetensors', '', whole.subarray(0, 20_000)),
  ];
  for (const weights of wrong) {
    await lab.openWeights(weights);
    await expect(lab.modelError).toContainText(weights.name);
    await expect(lab.modelName).toHaveText('resnet20-cifar10');
  }
  await lab.choose(await picture('dog'));
  await expect(lab.predictions).toHaveCount(5);
  await lab.openWeights(file('good.safetensors', '', whole));
  await expect(lab.modelName).toHaveText('good.safetensors');
  await expect(lab.modelError).toHaveCount(0);
});

test.describe('the hub', () => {
  const offer = (page, name) => page.getByTestId('offer').filter({ hasText: name });
  const cors = { 'access-control-allow-origin': '*', 'access-control-expose-headers': '*' };

  test('a download can be cancelled, and a failed one says so', async ({ page }) => {
    const lab = new Lab(page);
    let asked;
    const first = new Promise((done) => (asked = done));
    await page.route(HUB, () => asked());
    await lab.open();
    await page.getByTestId('model-picker').locator('summary').click();
    const row = offer(page, 'resnet50.a1_in1k');
    await row.getByRole('button', { name: /^Download/ }).click();
    await first;
    await expect(page.getByTestId('busy')).toContainText('resnet50.a1_in1k');
    await page.getByTestId('cancel-download').click();
    await expect(page.getByTestId('busy')).toHaveCount(0);
    await expect(lab.modelError).toHaveCount(0);
    await expect(lab.modelName).toHaveText('resnet20-cifar10');

    await page.unroute(HUB);
    await page.route(HUB, (route) => route.fulfill({ status: 404, headers: cors, body: 'no' }));
    await row.getByRole('button', { name: /^Download/ }).click();
    await expect(lab.modelError).toContainText('404');
    await lab.choose(await picture('dog'));
    await expect(lab.predictions).toHaveCount(5);
  });
});

test('times every layer where the adapter can', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const timed = await page.evaluate(async () => (await navigator.gpu.requestAdapter()).features.has('timestamp-query'));
  const panel = page.getByTestId('layers');
  await panel.locator('summary').click();
  if (!timed) {
    await expect(panel).toContainText('cannot time');
    return;
  }
  await expect(panel.getByTestId('layer').filter({ hasText: 'layer3.2.conv2' })).toHaveCount(1);
  await expect(panel.getByRole('table')).toContainText(/\d ms|\d s/);
  await expect(panel.getByRole('button', { name: 'Measure again' })).toBeVisible();
});
