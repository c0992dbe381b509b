// End-to-end tests against the built page (../../dist). `cargo xtask test e2e` builds it and sets CHROMIUM and the port;
// by hand: `trunk build --release`, then `npx playwright test` here.

import { defineConfig } from '@playwright/test';
import { existsSync } from 'node:fs';

const port = Number(process.env.RESLAB_E2E_PORT ?? 4173);
const chromium =
  process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path));

export default defineConfig({
  testDir: '.',
  // Hours of the same are for the long suite alone.
  testMatch: process.env.RESLAB_LONG ? ['*.long.mjs', 'faults.spec.mjs'] : '*.spec.mjs',
  outputDir: '../../target/e2e',
  // One software GPU: tests beside each other only wait for one another.
  workers: 1,
  fullyParallel: false,
  forbidOnly: Boolean(process.env.CI),
  retries: 0,
  // A software adapter compiles shaders for seconds; these bounds are for hangs, not for speed.
  timeout: 180_000,
  expect: { timeout: 60_000 },
  reporter: [['list']],
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    browserName: 'chromium',
    // Tests of what works without a network allow it for themselves.
    serviceWorkers: 'block',
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: chromium,
      args: [
        '--no-sandbox',
        '--enable-unsafe-webgpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    },
  },
  webServer: {
    command: `node server.mjs --port ${port}`,
    url: `http://127.0.0.1:${port}/`,
    reuseExistingServer: false,
    stdout: 'ignore',
  },
});
