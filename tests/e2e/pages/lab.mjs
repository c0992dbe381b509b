// The lab page: what a person does with it, in their words.

import { readFile } from 'node:fs/promises';

const samples = new URL('../../../www/samples/', import.meta.url);
const models = new URL('../../../www/models/', import.meta.url);

/** The model that ships with the page, as a file of one's own. */
export const bundledModel = () => readFile(new URL('resnet20-cifar10.safetensors', models));

/** A picture as a file dialog gives it; `name` may differ from the sample's. */
export async function picture(sample, name = `${sample}.webp`) {
  return { name, mimeType: 'image/webp', buffer: await readFile(new URL(`${sample}.webp`, samples)) };
}

export const file = (name, mimeType, content) => ({ name, mimeType, buffer: Buffer.from(content) });

export class Lab {
  /** @param {import('@playwright/test').Page} page */
  constructor(page) {
    this.page = page;
    this.zone = page.getByTestId('drop-zone');
    this.best = page.getByTestId('best');
    this.predictions = page.getByTestId('prediction');
    this.pictureError = page.getByTestId('picture-error');
    this.modelError = page.getByTestId('model-error');
    this.modelName = page.getByTestId('model-name');
    this.tiles = page.getByTestId('tile');
    this.fileName = page.getByTestId('file-name');
  }

  /** Opens the page and waits for the bundled model. */
  async open(query = '') {
    await this.page.goto(`/${query}`);
    await this.modelName.waitFor();
  }

  async choose(...files) {
    await this.page.getByTestId('file-input').setInputFiles(files);
  }

  async openWeights(file) {
    await this.page.getByTestId('weights-input').setInputFiles(file);
  }

  /** Drops files on the page's body: anywhere counts. */
  async drop(...files) {
    await this.#give(files, (transfer) => this.page.dispatchEvent('body', 'drop', { dataTransfer: transfer }));
  }

  async paste(...files) {
    await this.#give(files, (transfer) =>
      transfer.evaluate((clipboardData) => {
        document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
      }),
    );
  }

  async #give(files, use) {
    const plain = files.map(({ name, mimeType, buffer }) => ({ name, mimeType, base64: buffer.toString('base64') }));
    const transfer = await this.page.evaluateHandle((files) => {
      const transfer = new DataTransfer();
      for (const { name, mimeType, base64 } of files) {
        const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
        transfer.items.add(new File([bytes], name, { type: mimeType }));
      }
      return transfer;
    }, plain);
    await use(transfer);
    await transfer.dispose();
  }
}
