// What the audit axe-core can see of accessibility in a page as it stands, in both of its looks.

import { expect } from '@playwright/test';
import axe from 'axe-core';

/**
 * Audits the page as it is now: everything in its light look, and in its dark one the colours, which alone are others there.
 * @param {import('@playwright/test').Page} page
 * @param {string} state names it where it fails
 */
export async function audit(page, state) {
  for (const colorScheme of ['light', 'dark']) {
    // Colours are measured where they end, not on their way.
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // Through the debugger, as the page's own policy lets no script in.
    await page.evaluate(axe.source);
    const options = colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : {};
    const { violations } = await page.evaluate((options) => globalThis.axe.run(document, options), options);
    const found = violations.map(({ impact, id, nodes }) => `${impact}: ${id}: ${nodes.map((n) => n.target).join(' | ')}`);
    expect(found, `${state}, ${colorScheme}`).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
}
