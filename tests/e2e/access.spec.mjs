// What the audit axe-core can see of accessibility, on every screen, light and dark.

import { expect, test } from '@playwright/test';
import axe from 'axe-core';
import { Lab, file, picture } from './pages/lab.mjs';
import { Studio } from './pages/studio.mjs';

/** Brings a page to a screen. */
const SCREENS = {
  'the first screen': async (page) => new Lab(page).open(),
  'a result': async (page) => {
    const lab = new Lab(page);
    await lab.open();
    await lab.choose(await picture('cat'));
    await expect(lab.predictions).toHaveCount(5);
  },
  'many pictures, one of them none': async (page) => {
    const lab = new Lab(page);
    await lab.open();
    await lab.drop(await picture('frog'), await picture('ship'), file('notes.txt', 'text/plain', 'no picture'));
    await expect(lab.tiles.filter({ hasText: '%' })).toHaveCount(2);
    await expect(lab.pictureError).toBeVisible();
  },
  'all panels open': async (page) => {
    const lab = new Lab(page);
    await lab.open();
    await lab.choose(await picture('dog'));
    await expect(lab.best).toBeVisible();
    await page.getByTestId('model-picker').locator('summary').click();
    await page.getByTestId('layers').locator('summary').click();
    await expect(page.getByTestId('layers').getByText(/Measure again|cannot time/)).toBeVisible();
  },
  'a wrong weights file': async (page) => {
    const lab = new Lab(page);
    await lab.open();
    await lab.drop(file('words.pth', '', 'these are no tensors'));
    await expect(lab.modelError).toBeVisible();
  },
  'the studio without a project': async (page) => new Studio(page).open(),
  'a project with pictures, some of them selected': async (page) => {
    const studio = new Studio(page);
    await studio.open();
    await page.getByTestId('example-patterns').click();
    await studio.saved();
    await expect(studio.classes).toHaveCount(3);
    await studio.classes.first().getByTestId('picture-tile').first().click();
    await studio.classes.last().getByTestId('menu').click();
  },
  'files to take away': async (page) => {
    const studio = new Studio(page);
    await studio.open();
    await page.getByTestId('new-project').click();
    await studio.step('export');
    await expect(page.getByTestId('takeaway')).toBeVisible();
  },
  'no graphics card': async (page) => {
    await page.goto('/?device=gpu');
    await expect(page.getByTestId('unsupported')).toBeVisible();
  },
};

for (const [name, open] of Object.entries(SCREENS)) {
  for (const colorScheme of ['light', 'dark']) {
    test(`axe finds nothing to mend: ${name}, ${colorScheme}`, async ({ page }) => {
      // Colours are measured where they end, not on their way.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await open(page);
      // Through the debugger, as the page's own policy lets no script in.
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document));
      const found = violations.map(({ impact, id, nodes }) => `${impact}: ${id}: ${nodes.map((n) => n.target).join(' | ')}`);
      expect(found).toEqual([]);
    });
  }
}
