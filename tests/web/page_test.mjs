// Each page's main path in a real browser, against a daemon that does real work.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { eventually, kScreens, launch, Mill } from "./mill.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const kPages = ["floor", "requests", "money", "router", "skills", "models", "playground"];
const kWide = { width: 1440, height: 900 };
const kPhone = { width: 390, height: 844 };
const kHostile = `<script>window.hit=1</script><img src=x onerror="window.hit=1">`;

let browser;
let mill;

/// A page whose every complaint is remembered: what the console says, what throws, what comes from elsewhere.
async function open(hash = "", options = {}) {
  const context = await browser.newContext({ viewport: kWide, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (message) => message.type() === "error" && page.complaints.push(message.text()));
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(mill.url) && !request.url().startsWith("blob:")) page.complaints.push(`elsewhere: ${request.url()}`);
  });
  await page.goto(mill.url + "/" + hash);
  await page.locator(".connection.live").waitFor();
  return page;
}

async function serious(page) {
  // The policy lets no script in but the page's own; the debugger's door is not the page's.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter((each) => each.impact === "serious" || each.impact === "critical")
    .map((each) => `${each.id}: ${each.nodes.map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`);
}

before(async () => {
  browser = await launch();
  mill = await new Mill().start();
  const checks = [
    { type: "contains", value: "yes" },
    { type: "json" },
  ];
  const titles = ["Triage this mail", "Record this expense", "Tag this ticket", "Book a meeting"];
  const tasks = Array.from({ length: 24 }, (_, i) => ({
    id: `mon-${String(i).padStart(2, "0")}`,
    title: titles[i % titles.length],
    notes: `Number ${i}: the receipt says 112.00 euros, paid by card. Answer yes or no.`,
    check: checks[0],
  }));
  const run = mill.run("run", mill.tasksFile(tasks), "--cloud", "sim").catch(() => {}); // some fail, as in life
  for (let i = 0; i < 6; ++i) await mill.chat(["auto", "local", "cloud"][i % 3], `Summarise mail number ${i}`, ["mail-agent", "crm-sync"][i % 2]);
  await run;
});

after(async () => {
  await browser?.close();
  await mill?.end();
});

test("every page shows in light, dark and on a phone, without a complaint and with nothing serious for axe", async () => {
  await mill.run("budget", "set", "--usd-per-day", "0.05", "--usd-per-month", "1");
  for (const [name, options] of [
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["phone", { colorScheme: "light", viewport: kPhone, hasTouch: true, deviceScaleFactor: 2 }],
  ]) {
    for (const each of kPages) {
      const page = await open(`#/${each}`, options);
      await page.locator("main h1").waitFor();
      if (each === "floor" || each === "money") await page.locator(".chart canvas").first().waitFor();
      await page.waitForLoadState("networkidle", { timeout: 1500 }).catch(() => {}); // the stream never ends
      await page.screenshot({ path: path.join(kScreens, `${each}-${name}.png`), fullPage: name === "phone" });
      assert.deepEqual(page.complaints, [], `${each}, ${name}`);
      assert.deepEqual(await serious(page), [], `${each}, ${name}`);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wider <= 0, `${each}, ${name}: ${wider} pixels too wide`);
      await page.context().close();
    }
  }
});

test("floor shows the figures that the daemon, the report and top have", async () => {
  const page = await open();
  await page.locator(".figures .big").first().waitFor();
  const overview = JSON.parse(await mill.run("report", "--json"));
  assert.deepEqual(JSON.parse(await mill.run("top", "--json")).overview, overview);

  const shown = await page.locator(".figures").innerText();
  const share = overview.all.share_local;
  assert.ok(shown.includes(`${(100 * share.share).toFixed(0)} %`), shown);
  assert.ok(shown.includes(`${share.good} of ${share.of} answers`), shown);
  await page.goto(mill.url + "/#/money");
  await page.locator("main h1", { hasText: "Money" }).waitFor();
  const money = await page.locator(".money .figures").innerText();
  const spent = await page.locator(".money .figure", { hasText: "Spent" }).locator(".big").innerText();
  assert.ok(Math.abs(Number(spent.replace(/[^0-9.]/g, "")) - overview.all.money.spent_usd) < 0.0051, money);
  await page.context().close();
});

test("work is seen while it is done, and as text whatever it is called", async () => {
  const page = await open();
  await page.locator(".lane.local").waitFor();
  await page.locator(".chart canvas").waitFor();
  const answering = Promise.all(
    Array.from({ length: 4 }, (_, i) => mill.chat("local", `Tell story ${i}`, "story-app", { stream: false, max_tokens: 400 })),
  );
  await page.locator(".lane.local .slot:not(.free)").first().waitFor();
  await page.locator(".lane.local .waiter").first().waitFor();
  await page.screenshot({ path: path.join(kScreens, "floor-busy.png") });
  await mill.task(kHostile);
  await page.locator(".lane .waiter .what, .lane .slot .what", { hasText: "<script>" }).first().waitFor();
  await answering;
  await page.locator(".lane .done").first().waitFor();
  assert.equal(await page.evaluate(() => window.hit), undefined);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a request is found, opened, explained and judged", async () => {
  const page = await open("#/requests");
  await page.locator("tbody tr").first().waitFor();
  await page.getByLabel("Search").fill("mon-0");
  await eventually(async () => (await page.locator("tbody tr").count()) > 0 && page.url().includes("q=mon-0"), "it is searched");
  await page.locator("tbody tr a").first().click();
  await page.getByRole("heading", { name: "Why there" }).first().waitFor();
  await page.getByRole("heading", { name: "What happened" }).first().waitFor();
  await page.locator(".reasons li").first().waitFor();
  await page.screenshot({ path: path.join(kScreens, "request-light.png"), fullPage: true });
  await page.getByRole("button", { name: "Good answer" }).first().click();
  await page.locator(".outcomes", { hasText: "called good" }).first().waitFor();
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(await serious(page), []);
  await page.goBack();
  await page.locator("tbody tr").first().waitFor();
  assert.equal(await page.getByLabel("Search").inputValue(), "mon-0");
  await page.context().close();
});

test("a task that waits is cancelled", async () => {
  const blocker = mill.chat("local", "a long story", "story-app", { max_tokens: 600 });
  const waits = Promise.all([mill.chat("local", "another", "story-app", { max_tokens: 600 }), blocker]);
  const { id } = await mill.task("Cancel me", { privacy: "local-only" });
  const page = await open(`#/requests/${id}`);
  const cancel = page.getByRole("button", { name: "Cancel" });
  await cancel.click();
  await page.locator(".state.cancelled, .state.done, .trouble").first().waitFor();
  await waits;
  await page.context().close();
});

test("everything can be reached and done by keyboard", async () => {
  const page = await open();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "To the content");
  for (let i = 0; i < 3; ++i) await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Requests");
  await page.keyboard.press("Enter");
  await page.locator("tbody tr").first().waitFor();
  const reached = async () => page.evaluate(() => document.activeElement.closest("tbody") != null);
  for (let i = 0; i < 40 && !(await reached()); ++i) await page.keyboard.press("Tab");
  assert.ok(await reached(), "a request's link is reached");
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(ring, "none");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Why there" }).first().waitFor();
  await page.context().close();
});

test("theme is chosen and kept", async () => {
  const page = await open("", { colorScheme: "light" });
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  await page.getByRole("button", { name: "Switch to dark" }).click();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  assert.equal(await ground(), dark);
  await page.context().close();
});

test("playground asks all lanes at once and says what it took", async () => {
  const page = await open("#/playground");
  await page.getByLabel("Ask all of them").fill("Say hello");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  for (const model of ["local", "auto", "cloud"]) {
    await page.locator(`section[aria-label="Answer of ${model}"] footer`, { hasText: "why" }).waitFor();
  }
  await page.screenshot({ path: path.join(kScreens, "playground-asked.png") });
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a model is loaded and unloaded", async () => {
  await mill.run("pull", mill.model);
  const page = await open("#/models");
  const row = page.locator(".modellist li", { hasText: "tiny" }).first();
  await row.getByRole("button", { name: "Load" }).click();
  await row.getByRole("button", { name: "Unload" }).click({ timeout: 60_000 });
  await row.getByRole("button", { name: "Load" }).waitFor({ timeout: 60_000 });
  await page.context().close();
});

test("money goes into a spreadsheet", async () => {
  const page = await open("#/money");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as CSV" }).click()]);
  const text = readFileSync(await download.path(), "utf8");
  assert.match(text, /^by,name,requests,/);
  assert.match(text, /\napp,/);
  await page.context().close();
});

test("a daemon that restarts under an open page is noticed, and found again", async () => {
  const page = await open();
  await mill.stop("SIGKILL");
  await page.locator(".connection.lost").waitFor();
  page.complaints.length = 0; // what the browser says of a server that is gone
  await mill.start();
  await page.locator(".connection.live").waitFor({ timeout: 30_000 });
  const before = (await mill.get("/minimill/v1/overview?days=30")).all.requests;
  await mill.chat("cloud", "are you back?", "after-restart");
  await page.locator(".lane.cloud .done").first().waitFor();
  await eventually(async () => (await mill.get("/minimill/v1/overview?days=30")).all.requests > before, "it is counted");
  await page.context().close();
});

test("where there are keys, a browser is told how to get in, and a link lets it", async () => {
  await mill.run("key", "add", "mail");
  await eventually(async () => (await fetch(`${mill.url}/minimill/v1/floor`)).status === 401, "keys are wanted");
  const context = await browser.newContext({ viewport: kWide });
  const page = await context.newPage();
  await page.goto(mill.url);
  await page.getByRole("heading", { name: "This browser is not let in yet" }).waitFor();
  const link = (await mill.run("open", "--print")).trim();
  await page.goto(link);
  await page.locator(".connection.live").waitFor();
  assert.equal(new URL(page.url()).pathname, "/");
  assert.equal(await page.evaluate(() => document.cookie), "", "no script sees the cookie");

  // A page of another port of this machine, which a browser counts as of the same site.
  const { createServer } = await import("node:http");
  const other = createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>elsewhere</p>"));
  await new Promise((then) => other.listen(0, "127.0.0.1", then));
  const theirs = await context.newPage();
  await theirs.goto(`http://127.0.0.1:${other.address().port}/`);
  const before = (await page.evaluate(() => fetch("/minimill/v1/tasks?limit=1000").then((r) => r.json()))).tasks.length;
  for (const headers of [{ "content-type": "application/json" }, { "content-type": "text/plain" }]) {
    await theirs.evaluate(
      ([url, sent]) => fetch(`${url}/minimill/v1/tasks`, { method: "POST", mode: "no-cors", credentials: "include", headers: sent, body: '{"title": "spend"}' }).catch(() => {}),
      [mill.url, headers],
    );
  }
  const read = await theirs.evaluate((url) => fetch(`${url}/minimill/v1/floor`, { credentials: "include" }).then((r) => r.text(), () => "refused"), mill.url);
  assert.equal(read, "refused");
  assert.equal((await page.evaluate(() => fetch("/minimill/v1/tasks?limit=1000").then((r) => r.json()))).tasks.length, before);
  other.close();
  await mill.run("key", "remove", "mail");
  await context.close();
});
