// The studio: what a person does with it, in their words.

import { crc32, deflateRawSync } from 'node:zlib';

export class Studio {
  /** @param {import('@playwright/test').Page} page */
  constructor(page) {
    this.page = page;
    this.classes = page.getByTestId('class');
    this.counts = page.getByTestId('class-count');
    this.projects = page.getByTestId('project');
    this.skipped = page.getByTestId('skipped');
    this.error = page.getByTestId('studio-error');
  }

  async open(address = '/') {
    await this.page.goto(`${address}#teach`);
    await this.page.getByTestId('studio').waitFor();
  }

  /** A class' card by its name. */
  class(name) {
    return this.classes.filter({ has: this.page.locator(`input.name`) }).filter({ has: this.page.getByLabel(`Pictures: ${name}`) });
  }

  /** Names of the classes, in order. */
  async names() {
    return this.page.getByTestId('class-name').evaluateAll((inputs) => inputs.map((input) => input.value));
  }

  async step(name) {
    await this.page.getByTestId(`step-${name}`).click();
  }

  /** Waits until everything that changed is written. */
  async saved() {
    await this.page.getByTestId('saved').filter({ hasText: 'Saved' }).waitFor({ state: 'attached' }); // a phone has no room for it
    await this.page.getByTestId('adding').waitFor({ state: 'detached' });
  }
}

/** A zip archive of `files` ({ path: content }), deflated as most programs do. */
export function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [path, content] of Object.entries(files)) {
    const name = Buffer.from(path);
    const packed = deflateRawSync(content);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(1 << 11, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(crc32(content) >>> 0, 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    parts.push(Buffer.from('PK\x03\x04'), common, name, packed);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00'), common, rest, name);
    offset += 30 + name.length + packed.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(18);
  const count = Object.keys(files).length;
  end.writeUInt16LE(count, 4);
  end.writeUInt16LE(count, 6);
  end.writeUInt32LE(size, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, ...directory, Buffer.from('PK\x05\x06'), end]);
}
