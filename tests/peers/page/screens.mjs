// screens.mjs URL LANGUAGES THEMES: every screen in every language and theme, looked at by axe-core (WCAG 2.2 A and AA,
// contrast among it), for scripts that ran, and for a layout that holds. Tells what it saw as JSON.
//
// FIELDGATE_NAME and FIELDGATE_PASSWORD log in first, where they are given.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [base, languages, themes] = process.argv.slice(2);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SCREENS = ["overview", "devices", "tags", "trend", "alarms", "anomalies", "storage", "forwarding", "people", "nowhere"];
const SIZES = [
  [1440, 900],
  [1024, 768],
];
const { FIELDGATE_NAME: name, FIELDGATE_PASSWORD: password } = process.env;
const browser = await chromium.launch({
  executablePath: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync),
  headless: true,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"],
});
const told = { looked_at: 0, violations: [], errors: [], foreign: [], wide: [], acts: 0, out_of_sight: [] };
const host = new URL(base).host;

async function look(page, what) {
  const { violations } = await page.evaluate(async (source) => {
    if (!window.axe) (0, eval)(source);
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    const { violations } = await window.axe.run(document, { runOnly: { type: "tag", values: tags } });
    return { violations: violations.map(({ id, nodes }) => ({ id, nodes: nodes.slice(0, 3).map((n) => [n.html.slice(0, 160), n.failureSummary]) })) };
  }, AXE);
  told.looked_at++;
  for (const violation of violations) told.violations.push({ what, ...violation });
  for (const [width, height] of SIZES) {
    await page.setViewportSize({ width, height });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) told.wide.push(`${what} ${width}x${height}: ${wide} px`);
    // Whatever a text says, what can be done about it stays in sight.
    const act = page.locator("[data-testid=alarm-acknowledge]").first();
    const box = (await act.count()) > 0 ? await act.boundingBox() : null;
    if (box) told.acts++;
    if (box && (box.y + box.height > height || box.x + box.width > width)) told.out_of_sight.push(`${what} ${width}x${height}`);
  }
}

try {
  for (const language of languages.split(",")) {
    for (const colorScheme of themes.split(",")) {
      // eval is how axe comes in; the page itself must do without, which its policy says.
      const context = await browser.newContext({ locale: language, colorScheme, bypassCSP: true, viewport: { width: 1440, height: 900 } });
      const page = await context.newPage();
      page.on("request", (request) => new URL(request.url()).host !== host && !/^(data|blob):/.test(request.url()) && told.foreign.push(request.url()));
      page.on("pageerror", (error) => told.errors.push(String(error)));
      page.on("dialog", (dialog) => (told.errors.push(`a script ran: ${dialog.message()}`), dialog.dismiss()));
      await page.goto(base);
      if (name) {
        await page.locator("[data-testid=door-name]").waitFor();
        await look(page, `door ${language} ${colorScheme}`);
        await page.locator("[data-testid=door-name]").fill(name);
        await page.locator("[data-testid=door-password]").fill(password);
        await page.keyboard.press("Enter");
        await page.locator("[data-testid=account]").waitFor();
      }
      for (const screen of SCREENS) {
        await page.goto(`${base}/${screen}`);
        await page.locator("[data-testid=gateway-name]").waitFor();
        // What is fetched is there, or the screen says that it waits: both are looked at.
        await page.waitForTimeout(1200);
        await look(page, `${screen} ${language} ${colorScheme}`);
        const device = page.locator("[data-testid=device-row], [data-testid=device-link]").first();
        if (screen === "devices" && (await device.count()) > 0) {
          await device.click();
          await page.waitForTimeout(800);
          await look(page, `a device ${language} ${colorScheme}`);
        }
      }
      if (await page.evaluate(() => "hacked" in window)) told.errors.push("a script of a name ran");
      await context.close();
    }
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(told));
