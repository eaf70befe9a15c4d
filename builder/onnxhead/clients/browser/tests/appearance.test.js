/** What the page looks like: on a phone, in the dark, without motion, and to a screen reader. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";
import { CASES, HEAD, useChromium } from "./chromium.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };

// its logits are of the length of long ones, about 10
const HEAD_ROW = Array(HEAD.features).fill("12.3456").join(", ");

const openPage = useChromium();

async function openReady(t, options) {
  const page = await openPage(t, options);
  await page.open();
  await page.locator("#conformance[data-passed]").waitFor();
  return page;
}

async function assertAccessible(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run());
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`,
  );
  assert.deepEqual(found, []);
}

for (const [name, options] of Object.entries({
  "in the light": { colorScheme: "light" },
  "in the dark": { colorScheme: "dark" },
  "on a phone": PHONE,
})) {
  test(`axe finds nothing ${name}`, async (t) => {
    const page = await openReady(t, options);
    await assertAccessible(page);
    await page.getByLabel("As numbers").fill("one");
    await page.locator("#field-problem:not(:empty)").waitFor();
    await assertAccessible(page);
  });
}

test("nothing is wider than a phone, whatever the row", async (t) => {
  const page = await openReady(t, PHONE);
  const assertNarrow = async (what) => {
    await page.evaluate(() => new Promise(requestAnimationFrame));
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= PHONE.viewport.width, `${what}: ${width} px`);
  };
  const names = CASES.filter(({ features }) => features.length > 0).map(({ name }) => name);
  for (const name of names) {
    await page.getByLabel("Row from").selectOption(name);
    await assertNarrow(name);
  }
  await page.getByLabel("As numbers").fill("0,5;".repeat(100));
  await assertNarrow("what is typed");
});

test("nothing is wider than the window, whatever its width", async (t) => {
  const page = await openReady(t, {});
  await page.getByLabel("As numbers").fill(HEAD_ROW);
  for (const width of [320, 480, 640, 840, 900, 960, 1024, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    await page.evaluate(() => new Promise(requestAnimationFrame));
    const found = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(found <= width, `${found} px in a window of ${width}`);
  }
});

for (const [name, options] of Object.entries({ "a screen": {}, "a phone": PHONE })) {
  test(`no value sticks out of its place on ${name}`, async (t) => {
    const page = await openReady(t, options);
    const field = page.getByLabel("As numbers");
    await field.fill(Array(HEAD.features).fill("-1.2345678e-38").join(", "));
    await page.evaluate(() => new Promise(requestAnimationFrame));
    const tight = await page.evaluate(() =>
      [...document.querySelectorAll("output, #answer .number, .toolbar > *")]
        .filter(({ clientWidth, scrollWidth }) => scrollWidth > clientWidth)
        .map(({ outerHTML }) => outerHTML),
    );
    assert.deepEqual(tight, []);
  });

  test(`the field shows whole lines on ${name}`, async (t) => {
    const page = await openReady(t, options);
    const lines = await page.locator("#field").evaluate((field) => {
      const { height, lineHeight } = getComputedStyle(field);
      return Number.parseFloat(height) / Number.parseFloat(lineHeight);
    });
    assert.ok(Math.abs(lines - Math.round(lines)) < 0.01, `${lines} lines`);
  });
}

test("buttons beside one another have one size of type", async (t) => {
  const page = await openReady(t);
  await page.getByRole("slider").first().press("End");
  const sizes = await page.evaluate(() =>
    ["#restore", ".file", "#next-row"].map(
      (button) => getComputedStyle(document.querySelector(button)).fontSize,
    ),
  );
  assert.deepEqual(sizes, Array(3).fill(sizes[0]));
});

test("dark and light are what the system says", async (t) => {
  const page = await openReady(t, { colorScheme: "dark" });
  const readBrightness = () =>
    page.evaluate(() => Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0]));
  assert.ok((await readBrightness()) < 64);
  await page.emulateMedia({ colorScheme: "light" });
  assert.ok((await readBrightness()) > 192);
});

test("bars move only where motion is welcome", async (t) => {
  const page = await openReady(t, { reducedMotion: "no-preference" });
  const readDuration = () =>
    page
      .locator(".bar i")
      .first()
      .evaluate((bar) => getComputedStyle(bar).transitionDuration);
  assert.notEqual(await readDuration(), "0s");
  await page.emulateMedia({ reducedMotion: "reduce" });
  assert.equal(await readDuration(), "0s");
});

test("the decision is told to screen readers, and every input has a name", async (t) => {
  const page = await openReady(t);
  await page.locator("#announcement:not(:empty)").waitFor({ state: "attached" });
  const decision = await page.locator("#decision-label").textContent();
  const announcement = await page.locator("#announcement").textContent();
  assert.ok(announcement.startsWith(decision), announcement);
  const slider = page.getByRole("slider", {
    name: HEAD.features > 30 ? "value of the feature" : "feature f0",
  });
  assert.equal(await slider.count(), 1);
});
