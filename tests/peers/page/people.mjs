// people.mjs URL CODE FOLDER: claims a new gateway as its owner would, without a mouse; lets people and programs in and
// takes them away again. Tells what it saw as JSON.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [base, code, folder] = process.argv.slice(2);
const PASSWORD = "four words make it";
const SIZES = [
  [1440, 900],
  [1024, 768],
];
const browser = await chromium.launch({
  executablePath: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync),
  headless: true,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"],
});
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", ignoreHTTPSErrors: true });
const page = await context.newPage();
const told = { errors: [], foreign: [], screenshots: [] };
const host = new URL(base).host;
page.on("request", (request) => new URL(request.url()).host !== host && told.foreign.push(request.url()));
page.on("pageerror", (error) => told.errors.push(String(error)));
page.on("response", (response) => response.status() >= 500 && told.errors.push(`${response.status()} ${response.url()}`));

const at = (name) => page.locator(`[data-testid=${name}]`);
const type = (text) => page.keyboard.type(text);
const press = (key) => page.keyboard.press(key);

async function shoot(name) {
  for (const [width, height] of SIZES) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(200);
      const file = `${name}-${width}x${height}-${colorScheme}.png`;
      await page.screenshot({ path: join(folder, file) });
      told.screenshots.push(file);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) told.errors.push(`${file}: ${wide} px wider than the window`);
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
}

/** From the first field to the last, by keyboard alone. */
async function fill(first, texts) {
  await at(first).focus();
  for (const [place, text] of texts.entries()) {
    if (place > 0) await press("Tab");
    await press("Control+A");
    await type(text);
  }
  await press("Enter");
}

try {
  // A stranger sees the door, wherever they come in, and nothing behind it.
  await page.goto(`${base}/storage`);
  await at("door-code").waitFor();
  told.claim_title = await page.locator("h1").textContent();
  told.behind = await page.locator("nav").count();
  await shoot("claim");
  await fill("door-code", ["0000-0000-0000", "eva", PASSWORD, PASSWORD]);
  await at("door-refused").waitFor();
  told.wrong_code = await at("door-refused").textContent();
  await fill("door-code", [code, "eva", PASSWORD, PASSWORD]);
  await at("account").waitFor();
  told.claimed_as = (await at("account").textContent()).trim();
  told.landed_on = await page.locator("h1").first().textContent();
  await page.goto(`${base}/overview`);
  await page.locator("[data-testid=device-tile]").first().waitFor();

  await page.goto(`${base}/people`);
  await at("user-row").first().waitFor();
  await at("new-user-name").fill("adam");
  await at("new-user-password").fill("short");
  await press("Enter");
  await at("people-refused").waitFor();
  told.weak = await at("people-refused").textContent();
  await at("new-user-password").fill(PASSWORD);
  await press("Enter");
  await page.locator("[data-testid=user-row][data-user=adam]").waitFor();
  await at("new-token-name").fill("grafana");
  await press("Enter");
  await at("new-token").waitFor();
  told.token = await at("new-token").textContent();
  await shoot("people");

  // Another browser, as adam: he sees values, and not who may.
  const elsewhere = await browser.newContext({ locale: "en-GB", ignoreHTTPSErrors: true });
  const other = await elsewhere.newPage();
  await other.goto(base);
  await other.locator("[data-testid=door-name]").fill("adam");
  await other.locator("[data-testid=door-password]").fill(PASSWORD);
  await other.keyboard.press("Enter");
  await other.locator("[data-testid=device-tile]").first().waitFor();
  told.adam_sees_people = await other.locator("[data-testid=nav-people]").count();
  // Taken away while his page is open: it shows the door by itself.
  const row = page.locator("[data-testid=user-row][data-user=adam]");
  await row.locator("[data-testid=user-remove]").click();
  await row.getByRole("button", { name: "Remove" }).click();
  const begun = performance.now();
  await other.locator("[data-testid=door-name]").waitFor({ timeout: 20_000 });
  told.shut_ms = Math.round(performance.now() - begun);

  await at("log-out").click();
  await at("door-name").waitFor();
  await shoot("login");
  await fill("door-name", ["eva", "wrong words they are"]);
  await at("door-refused").waitFor();
  told.wrong_password = (await at("door-refused").textContent()).trim();
  await fill("door-name", ["eva", PASSWORD]);
  await at("account").waitFor();
  told.records = await (async () => {
    await page.goto(`${base}/people`);
    await at("audit-row").first().waitFor();
    return page.locator("[data-testid=audit-row]").evaluateAll((rows) => rows.map((row) => row.dataset.kind));
  })();
} finally {
  await browser.close();
}
console.log(JSON.stringify(told));
