// The page's main story: give it pictures in every way there is, read what they show, keep the results.

import { expect, test } from '@playwright/test';
import { readFile } from 'node:fs/promises';
import { watch } from './pages/app.mjs';
import { Lab, file, picture } from './pages/lab.mjs';

const CLASSES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
const percent = (text) => (text.includes('<') ? 0 : Number.parseFloat(text.replace('>', '')));

test('a dropped picture is read, and nobody else is asked', async ({ page, baseURL }) => {
  const seen = watch(page);
  const lab = new Lab(page);
  await lab.open();
  await lab.drop(await picture('ship', 'holiday.jpg'));
  await expect(lab.predictions).toHaveCount(5);
  await expect(lab.fileName).toHaveText('holiday.jpg');

  const labels = await lab.predictions.locator('.bars__label').allTextContents();
  const shares = (await lab.predictions.locator('.bars__value').allTextContents()).map(percent);
  expect(labels.every((label) => CLASSES.includes(label)), `${labels}`).toBe(true);
  expect(new Set(labels).size).toBe(5);
  expect(shares).toEqual([...shares].sort((a, b) => b - a));
  expect(shares.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(100.5);
  await expect(lab.best).toContainText(labels[0]);
  // The bars are what the numbers say.
  const bar = await lab.predictions.first().locator('.bars__bar').boundingBox();
  const track = await lab.predictions.first().locator('.bars__track').boundingBox();
  expect(Math.abs((100 * bar.width) / track.width - shares[0])).toBeLessThan(2);

  await expect(page.getByTestId('ms')).toHaveText(/^[\d.]+ (ms|s)$/);
  await expect(page.getByTestId('read-by')).toContainText('resnet20-cifar10 on ');
  await expect(page.getByTestId('few-classes')).toContainText(`only 10 things: ${CLASSES.join(', ')}`);
  await expect(page.getByTestId('spoken')).toContainText(labels[0]);
  expect(seen.errors).toEqual([]);
  expect(seen.hosts()).toEqual([new URL(baseURL).host]);
});

test('says honestly which device reads', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open('?device=software');
  await expect(page.getByTestId('device').getByText('software adapter: slow')).toBeVisible();
  await lab.choose(await picture('cat'));
  await expect(page.getByTestId('software-note')).toBeVisible();
});

test('choosing, pasting and the samples lead to the same answer', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await lab.choose(await picture('frog'));
  await expect(lab.best).toBeVisible();
  const chosen = await lab.best.textContent();
  await lab.paste(await picture('frog', 'pasted.jpg'));
  await expect(lab.fileName).toHaveText('pasted.jpg');
  await expect(lab.best).toHaveText(chosen);
  const samples = page.getByTestId('sample');
  await expect(samples).toHaveCount(10);
  const frog = samples.filter({ has: page.getByAltText(/frog/) });
  // By keyboard.
  await frog.focus();
  await page.keyboard.press('Enter');
  await expect(lab.fileName).toHaveText('frog.webp');
  await expect(lab.best).toHaveText(chosen);
  await expect(page.getByTestId('picture')).toHaveAttribute('alt', /frog/);
});

test('many pictures become a grid and a table', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const names = CLASSES.slice(0, 6);
  const pictures = await Promise.all(names.map((name) => picture(name)));
  await lab.drop(...pictures, file('notes, "mine".txt', 'text/plain', 'no picture'));
  await expect(lab.tiles).toHaveCount(7);
  await expect(page.getByTestId('cancel')).toHaveCount(0);
  await expect(lab.tiles.filter({ hasText: '%' })).toHaveCount(6);
  await expect(lab.tiles.last()).toContainText('This is not a picture');
  await expect(lab.pictureError).toContainText('1 of 7 files could not be read');

  // The first one is on the stage; another tile opens its own reading.
  await expect(lab.fileName).toHaveText(`${names[0]}.webp`);
  await lab.tiles.nth(4).click();
  await expect(lab.fileName).toHaveText(`${names[4]}.webp`);
  await expect(lab.tiles.nth(4)).toHaveAttribute('aria-pressed', 'true');
  const label = (await lab.tiles.nth(4).locator('.tile__label').textContent()).trim();
  await expect(lab.best).toContainText(label);
  await expect(lab.predictions).toHaveCount(5);

  const saving = page.waitForEvent('download');
  await page.getByTestId('csv').click();
  const saved = await saving;
  expect(saved.suggestedFilename()).toMatch(/\.csv$/);
  const lines = (await readFile(await saved.path(), 'utf8')).trimEnd().split('\r\n');
  expect(lines).toHaveLength(8);
  expect(lines[0], 'Excel wants the mark').toMatch(/^\ufefffile,label,probability,label_2,probability_2,.*,ms,model,error$/);
  const fifth = lines[5].split(',');
  expect(fifth[0]).toBe(`${names[4]}.webp`);
  expect(fifth[1]).toBe(label);
  expect(Number(fifth[2])).toBeGreaterThan(0.1);
  expect(fifth[12]).toBe('resnet20-cifar10');
  expect(lines[7]).toMatch(/^"notes, ""mine"".txt",,/);
  expect(lines[7]).toContain('This is not a picture');

  // A tile says which file it is; the same file again is the same tile.
  await expect(lab.tiles.nth(4)).toContainText(`${names[4]}.webp`);
  await lab.choose(pictures[2]);
  await expect(lab.fileName).toHaveText(`${names[2]}.webp`);
  await expect(lab.tiles).toHaveCount(7);
  await lab.choose({ ...pictures[2], buffer: Buffer.concat([pictures[2].buffer.subarray(0, -1), Buffer.from([7])]) });
  await expect(lab.tiles, 'another one of the same name and size').toHaveCount(8);

  await page.getByTestId('clear').click();
  await expect(lab.tiles).toHaveCount(0);
  await expect(lab.best).toHaveCount(0);
  await expect(page.getByTestId('choose')).toBeFocused();
  await page.getByTestId('undo-clear').click();
  await expect(lab.tiles).toHaveCount(8);
  await expect(lab.fileName).toHaveText(`${names[0]}.webp`);
  await expect(lab.best).toBeVisible();
  await page.getByTestId('clear').click();
  await lab.choose(await picture('truck'));
  await expect(lab.fileName).toHaveText('truck.webp');
  await expect(page.getByTestId('cleared'), 'what comes next is a new beginning').toHaveCount(0);
});

test('the classes of the network that ships with the page are named in its language', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await page.getByTestId('language').selectOption('zh');
  await expect(page).toHaveTitle(/这张图片里是什么/);
  await expect(page.getByTestId('few-classes')).toContainText('飞机、汽车、鸟、猫、鹿、狗、青蛙、马、船、卡车');
  await lab.drop(await picture('frog'), await picture('ship'));
  await expect(lab.best).toContainText('青蛙');
  await expect(lab.predictions.first()).toContainText('青蛙');
  await expect(lab.tiles.nth(1)).toContainText('船');
  await expect(lab.tiles.nth(1)).toContainText('ship.webp');
  // What is taken away has the file's own names.
  const saving = page.waitForEvent('download');
  await page.getByTestId('csv').click();
  expect(await readFile(await (await saving).path(), 'utf8')).toContain('frog.webp,frog,');
  await page.getByTestId('language').selectOption('en');
  await expect(lab.best).toContainText('frog');
});

test('the rest of many pictures can be stopped and taken up again', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const pictures = [];
  for (let i = 0; i < 60; i++) pictures.push(await picture(CLASSES[i % 10], `${i}.jpg`));
  await lab.choose(...pictures);
  await expect(page.getByTestId('progress')).toContainText('of 60');
  await page.getByTestId('cancel').click();
  await expect(page.getByTestId('cancel')).toHaveCount(0);
  const stopped = await lab.tiles.filter({ hasText: 'stopped' }).count();
  expect(stopped).toBeGreaterThan(0);
  // What is done stays, and no late answer changes a stopped one.
  await expect(lab.tiles.filter({ hasText: '%' })).toHaveCount(60 - stopped);
  await page.getByTestId('resume').click();
  await expect(lab.tiles.filter({ hasText: '%' })).toHaveCount(60);
  await expect(page.getByTestId('resume')).toHaveCount(0);
});

test('what is no picture gets a sentence, and the page goes on', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await lab.choose(await picture('truck'));
  await expect(lab.best).toBeVisible();
  const before = await lab.best.textContent();
  const whole = (await picture('dog')).buffer;
  const heic = Buffer.concat([Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'), Buffer.alloc(64)]);
  const wrong = [
    [file('empty.jpg', 'image/jpeg', ''), /empty \(0 bytes\)/],
    [file('letter.txt', 'text/plain', 'Dear reader'), /not a picture.*a text file/],
    [file('phone.heic', 'image/heic', heic), /HEIC/],
    [file('paper.pdf', 'application/pdf', '%PDF-1.7 ...'), /a PDF document/],
    [file('half.jpg', 'image/jpeg', whole.subarray(0, 400)), /half\.jpg/],
  ];
  for (const [wrongFile, sentence] of wrong) {
    await lab.drop(wrongFile);
    await expect(lab.pictureError, wrongFile.name).toContainText(sentence);
    await expect(lab.pictureError).toContainText(wrongFile.name);
    await expect(lab.pictureError).toHaveRole('alert');
    // Nothing is lost: the picture before is still there.
    await expect(lab.fileName).toHaveText('truck.webp');
    await expect(lab.best).toHaveText(before);
  }
  await lab.pictureError.getByRole('button').click();
  await expect(lab.pictureError).toHaveCount(0);
  await lab.drop(await picture('bird'));
  await expect(lab.fileName).toHaveText('bird.webp');
  await expect(lab.predictions).toHaveCount(5);
});

test('a paste without a picture says so', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await lab.paste();
  await expect(lab.pictureError).toContainText('no picture');
});

for (const width of [320, 390, 768, 1280]) {
  test(`fits ${width} px`, async ({ page }) => {
    await page.setViewportSize({ width, height: 844 });
    const lab = new Lab(page);
    await lab.open();
    await lab.choose(await picture('deer', `a-very-long-name-${'x'.repeat(80)}.jpg`), await picture('horse'));
    await expect(lab.tiles.filter({ hasText: '%' })).toHaveCount(2);
    if (width >= 390) {
      // The picture, what to do next and the answer are on the first screenful.
      const answer = await lab.best.boundingBox();
      expect(answer.y + answer.height).toBeLessThanOrEqual(844);
    }
    await page.getByTestId('model-picker').locator('summary').click();
    await page.getByTestId('layers').locator('summary').click();
    await expect(page.getByTestId('layers').getByText(/Measure again|cannot time/)).toBeVisible();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    // Nothing lies over its neighbour.
    const parts = await page.locator('#main section, #main > div > details').all();
    const boxes = await Promise.all(parts.map((part) => part.boundingBox()));
    for (const [i, a] of boxes.entries()) {
      for (const b of boxes.slice(i + 1)) {
        const apart = a.x + a.width <= b.x + 1 || b.x + b.width <= a.x + 1 || a.y + a.height <= b.y + 1 || b.y + b.height <= a.y + 1;
        expect(apart, JSON.stringify([a, b])).toBe(true);
      }
    }
  });
}

test('keys alone are enough, and the focus shows', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const reached = [];
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      const style = getComputedStyle(e.matches('input[type=radio]') ? e.nextElementSibling : e);
      return { id: e.dataset.testid ?? e.parentElement?.dataset.testid ?? e.tagName, outline: style.outlineStyle };
    });
    if (at.id === 'BODY') break;
    expect(at.outline, at.id).not.toBe('none');
    reached.push(at.id);
  }
  for (const id of ['choose', 'sample', 'precision-f32', 'model-picker', 'layers']) expect(reached).toContain(id);
  const chooser = page.waitForEvent('filechooser');
  await page.getByTestId('choose').focus();
  await page.keyboard.press('Space');
  expect((await chooser).isMultiple()).toBe(true);
});

test('has landmarks and one heading of the first level', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  for (const role of ['banner', 'main', 'contentinfo']) await expect(page.getByRole(role)).toHaveCount(1);
  await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
  for (const name of ['Picture', 'Result', 'Model']) await expect(page.getByRole('region', { name, exact: true })).toHaveCount(1);
});
