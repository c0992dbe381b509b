// What the audit axe-core can see of accessibility, in every state of every screen, light and dark. Those with a camera are in
// studio-story.spec.mjs and live.spec.mjs, which have one.

import { expect, test } from '@playwright/test';
import { audit } from './pages/audit.mjs';
import { Lab, file, picture } from './pages/lab.mjs';
import { stripes } from './pages/pictures.mjs';
import { Studio } from './pages/studio.mjs';

const striped = (kind, count) =>
  Array.from({ length: count }, (_, i) => ({ name: `${i}.png`, mimeType: 'image/png', buffer: stripes(kind, 1 + i + (kind === 'flat' ? 0 : 1000)) }));

// Many audits in one story: what takes half a minute on a calm machine takes minutes on a crowded one.
test.describe.configure({ timeout: 480_000 });

test('axe finds nothing to mend in any state of recognising', async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await audit(page, 'the first screen');
  await lab.choose(await picture('cat'));
  await expect(lab.predictions).toHaveCount(5);
  await audit(page, 'a result');
  await lab.drop(await picture('frog'), await picture('ship'), file('notes.txt', 'text/plain', 'no picture'));
  await expect(lab.tiles.filter({ hasText: '%' })).toHaveCount(3);
  await expect(lab.pictureError).toBeVisible();
  await audit(page, 'many pictures, one of them none');
  await page.getByTestId('clear').click();
  await expect(page.getByTestId('cleared')).toBeVisible();
  await audit(page, 'cleared');
  await lab.choose(await picture('dog'));
  await expect(lab.best).toBeVisible();
  await page.getByTestId('model-picker').locator('summary').click();
  await page.getByTestId('layers').locator('summary').click();
  await page.getByTestId('device').locator('summary').click();
  await expect(page.getByTestId('layers').getByText(/Measure again|cannot time/)).toBeVisible();
  await audit(page, 'all panels open');
  await lab.drop(file('words.pth', '', 'these are no tensors'));
  await expect(lab.modelError).toBeVisible();
  await audit(page, 'a wrong weights file');
  await page.getByTestId('camera').click();
  await expect(page.getByTestId('live-trouble')).toBeVisible();
  await audit(page, 'no camera');
  await page.goto('/?device=gpu');
  await expect(page.getByTestId('unsupported')).toBeVisible();
  await audit(page, 'no graphics card');
});

test('axe finds nothing to mend in any state of a project', async ({ page }) => {
  await new Lab(page).open();
  const studio = new Studio(page);
  await studio.open();
  await audit(page, 'no project');
  await page.getByTestId('new-project').click();
  await expect(studio.classes).toHaveCount(2);
  await audit(page, 'empty classes');
  for (const step of ['train', 'judge', 'live', 'export']) {
    await studio.step(step);
    await audit(page, `${step} without anything`);
  }
  await studio.step('collect');
  await studio.classes.first().getByTestId('open-camera').click();
  await expect(page.getByTestId('camera-trouble')).toBeVisible();
  await page.getByTestId('class-name').last().fill('Class 1');
  await page.getByTestId('class-name').last().press('Tab');
  await expect(studio.classes.last().getByRole('alert')).toBeVisible();
  await studio.classes.last().getByTestId('menu').click();
  await audit(page, 'no camera, a name that is taken, a menu');
  await page.keyboard.press('Escape');
  await page.getByTestId('class-name').last().fill('upright');
  await page.getByTestId('class-name').last().press('Tab');
  await page.getByTestId('upload-input').first().setInputFiles([...striped('flat', 8), file('notes.txt', 'text/plain', 'none')]);
  await page.getByTestId('upload-input').last().setInputFiles(striped('upright', 8));
  await expect(studio.counts).toHaveText(['8 pictures', '8 pictures']);
  await studio.skipped.locator('summary').click();
  await studio.classes.first().getByTestId('picture-tile').first().click();
  await audit(page, 'pictures, one of them selected, a file that was none');
  await studio.skipped.getByRole('button').click();
  await page.getByTestId('delete-selected').click();
  await expect(page.getByTestId('undo-toast')).toBeVisible();
  await audit(page, 'a deletion that can be undone');
  await page.getByTestId('undo').click();

  await page.getByTestId('next').click();
  await expect(page.getByTestId('depth-all-takes')).toContainText('about');
  await page.getByTestId('train-dials').locator('summary').click();
  await page.getByTestId('dial-rate').fill('99');
  await page.getByTestId('dial-rate').press('Tab');
  await audit(page, 'all settings, one of them wrong');
  await page.getByTestId('dial-rate').fill('0.02');
  await page.getByTestId('dial-rate').press('Tab');
  await page.getByTestId('train-dials').locator('summary').click();
  await page.getByTestId('train-epochs').fill('1000');
  await page.getByTestId('train-epochs').press('Tab');
  await page.getByTestId('train-start').click();
  await expect(page.getByTestId('train-words')).toContainText('of 1000');
  await audit(page, 'training');
  await page.getByTestId('train-stop').click();
  await expect(page.getByTestId('train-words')).toContainText('Paused after');
  await audit(page, 'paused');
  await page.getByTestId('train-epochs').fill('2');
  await page.getByTestId('train-epochs').press('Tab');
  await page.getByTestId('train-start').click();
  await expect(page.getByTestId('train-words')).toContainText('Done after 2 epochs');
  await expect(page.getByTestId('run')).toHaveCount(2);
  await audit(page, 'trained twice');

  await page.getByTestId('train-judge').click();
  await expect(page.getByTestId('judge-accuracy')).toContainText('%');
  await page.getByTestId('matrix').getByRole('button').and(page.locator(':enabled')).first().click();
  await page.getByTestId('second-test').click();
  await audit(page, 'judged');
  await studio.step('live');
  await page.getByTestId('try-input').setInputFiles(await picture('cat'));
  await expect(page.getByTestId('tried-best')).toBeVisible();
  await page.getByTestId('live-start').click();
  await expect(page.getByTestId('live-trouble')).toBeVisible();
  await audit(page, 'a picture tried, no camera');
  await studio.step('export');
  await page.getByTestId('export-onnx').click();
  await page.getByTestId('recipes').locator('summary').first().click();
  await audit(page, 'exported');
  await page.getByTestId('all-projects').click();
  await expect(studio.projects).toHaveCount(1);
  await audit(page, 'one project');
});
