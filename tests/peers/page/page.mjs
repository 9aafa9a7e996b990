// page.mjs URL FOLDER: looks at the page of a running demo as a person would, and tells what it saw as JSON.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [base, folder] = process.argv.slice(2);
const DEVICES = ["pump", "boiler", "compressor", "truck"];
const SCREENS = ["overview", "devices", "tags", "trend", "alarms", "anomalies", "storage", "forwarding"];
const SIZES = [
  [1440, 900],
  [1024, 768],
];
const PATIENCE_MS = 20_000;

const browser = await chromium.launch({
  executablePath: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync),
  headless: true,
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
  ],
});
const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: "light", locale: "en-GB" });
const foreign = new Set();
const errors = [];
const host = new URL(base).host;
const watch = (url) => {
  const { protocol, host: asked } = new URL(url);
  if (!["data:", "blob:"].includes(protocol) && asked !== host) foreign.add(url);
};
page.on("request", (request) => watch(request.url()));
page.on("websocket", (socket) => watch(socket.url()));
page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
page.on("pageerror", (error) => errors.push(String(error)));
page.on("response", (response) => response.status() >= 400 && errors.push(`${response.status()} ${response.url()}`));

/** Looks every 50 ms until `look` gives something true; undefined when it never does. */
async function until(look, patienceMs = PATIENCE_MS) {
  const begun = performance.now();
  for (;;) {
    const seen = await look();
    if (seen) return { seen, ms: Math.round(performance.now() - begun) };
    if (performance.now() - begun > patienceMs) return undefined;
    await page.waitForTimeout(50);
  }
}

const told = { tiles: {}, foreign: [], errors, screenshots: [] };
try {
  const begun = performance.now();
  await page.goto(`${base}/overview`);
  for (const device of DEVICES) {
    const tile = page.locator(`[data-testid=device-tile][data-device=${device}]`);
    const shown = await until(async () => (await tile.count()) === 1);
    const key = tile.locator("[data-testid=key-value]");
    told.tiles[device] = { shown: shown !== undefined, status: await tile.getAttribute("data-status"), key: await key.textContent() };
  }
  told.tiles_ms = Math.round(performance.now() - begun);
  told.gateway = await page.locator("[data-testid=gateway-name]").textContent();

  for (const device of DEVICES) {
    await page.goto(`${base}/tags?device=${device}`);
    const values = page.locator("[data-testid=tag-value]");
    await until(async () => (await values.count()) > 0);
    // The first numbers are news of the page, not of the machine: what changes a second later counts.
    await until(async () => /\d/.test((await values.allTextContents()).join("")));
    await page.waitForTimeout(1000);
    const first = (await values.allTextContents()).join("|");
    const changed = await until(async () => (await values.allTextContents()).join("|") !== first);
    Object.assign(told.tiles[device], { changes: changed !== undefined, changed_ms: changed?.ms, rows: await values.count() });
  }

  const trend = `${base}/trend?pens=plant/pump/flow,plant/pump/motor_current&range=5m`;
  const opened = performance.now();
  await page.goto(trend);
  const canvas = page.locator("[data-testid=trend-canvas]");
  const drawn = await until(async () => {
    const points = (await canvas.count()) === 1 ? Number(await canvas.getAttribute("data-points")) : 0;
    return points > 50 ? points : null;
  });
  told.trend_points = drawn?.seen ?? 0;
  told.trend_ms = Math.round(performance.now() - opened);

  await page.goto(`${base}/devices?device=pump`);
  const exchanges = page.locator("[data-testid=exchanges] tbody tr");
  await until(async () => (await exchanges.count()) > 5);
  told.exchanges = await exchanges.count();
  told.exchange = (await exchanges.first().textContent()) ?? "";

  const question = "SELECT ts, flow FROM pump_1s ORDER BY ts DESC LIMIT 7";
  await page.goto(`${base}/storage`);
  await page.locator("[data-testid=sql]").fill(question);
  await page.keyboard.press("Control+Enter");
  const rows = page.locator("[data-testid=sql-rows] tbody tr");
  await until(async () => (await rows.count()) > 0);
  told.sql_rows = await rows.count();
  told.lake_use = (await page.locator("[data-testid=lake-use]").textContent()) ?? "";

  for (const [width, height] of SIZES) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      for (const screen of SCREENS) {
        const query = { devices: "?device=pump", storage: `?q=${encodeURIComponent(question)}` }[screen] ?? "";
        await page.goto(screen === "trend" ? trend : `${base}/${screen}${query}`);
        await page.locator("h1").first().waitFor();
        await page.waitForTimeout(screen === "trend" ? 1200 : 600);
        const name = `${screen}-${width}x${height}-${colorScheme}.png`;
        await page.screenshot({ path: join(folder, name) });
        told.screenshots.push(name);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) errors.push(`${name}: ${wide} px wider than the window`);
      }
    }
  }
  told.foreign = [...foreign];
} finally {
  await browser.close();
}
console.log(JSON.stringify(told));
