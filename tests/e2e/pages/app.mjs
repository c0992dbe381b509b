// Page objects: what a test sees of a page, by role and name as a person would.

/**
 * Collects what goes wrong and who is asked while a page lives. Call it before the first `goto`.
 * @param {import('@playwright/test').Page} page
 */
export function watch(page) {
  const errors = [];
  const urls = [];
  page.on('pageerror', (error) => errors.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on('request', (request) => urls.push(request.url()));
  return {
    /** Uncaught errors and console errors (a policy violation is one), in order. */
    errors,
    /** Hosts that were asked for anything, each once; blob: and data: addresses name none. */
    hosts: () => [...new Set(urls.map((url) => new URL(url).host).filter(Boolean))],
  };
}
