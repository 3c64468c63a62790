import { defineConfig } from "@playwright/test";

const url = process.env.SOCKETING_URL;
const chromium = process.env.SOCKETING_CHROMIUM;
if (!url || !chromium) {
  throw new Error(
    "The browser tests need a running system (SOCKETING_URL) and a Chromium (SOCKETING_CHROMIUM): `./dev test e2e` provides both.",
  );
}

export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  forbidOnly: Boolean(process.env.CI),
  workers: 1,
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: "list",
  use: {
    baseURL: url,
    locale: "ko-KR",
    viewport: { width: 1280, height: 800 },
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: chromium,
      args: [
        "--no-sandbox", // tests may run as root
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking", // no look-ups of anybody but the system under test
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
