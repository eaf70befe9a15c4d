/** What a person does on the page, with the bundle beside it, whatever head that holds. */

import assert from "node:assert/strict";
import test from "node:test";
import { formatLabel, formatNumber } from "../page/text.js";
import { CASES, HEAD, RANDOM, readBytes, replace, useChromium } from "./chromium.js";

const openPage = useChromium();

/** Opens the page, and waits until it has answered its first row and checked itself. */
async function openReady(t, options) {
  const page = await openPage(t, options);
  await page.open();
  await page.locator("#conformance[data-passed]").waitFor();
  return page;
}

/** Waits until the page shows the exact answer to a row of the random case. */
async function waitForAnswer(page, n) {
  const labels = RANDOM.labels[n];
  const isIndependent = HEAD.link === "sigmoid";
  if (labels !== null) {
    const text = isIndependent
      ? labels.map(formatLabel).join(" · ") || "none"
      : formatLabel(labels);
    await page.waitForFunction(
      (expected) => document.querySelector("#decision-label").textContent === expected,
      text,
    );
  }
  await waitForLogit(page, formatNumber(RANDOM.logits[n].reduce((a, b) => Math.max(a, b))));
}

/** Waits until one of the logits in the table is as expected, to 0.001. */
function waitForLogit(page, expected) {
  return page.waitForFunction((text) => {
    const toNumber = (shown) => Number(shown.replace("−", "-"));
    const cells = [...document.querySelectorAll("#classes td:last-child .number")];
    return cells.some((c) => Math.abs(toNumber(c.textContent) - toNumber(text)) < 0.0015);
  }, expected);
}

async function drop(page, name, text) {
  const dataTransfer = await page.evaluateHandle(
    ([fileName, content]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([content], fileName));
      return transfer;
    },
    [name, text],
  );
  await page.dispatchEvent("body", "dragover", { dataTransfer });
  await page.dispatchEvent("body", "drop", { dataTransfer });
}

test("the page says that every vector passes in this browser", async (t) => {
  const page = await openReady(t);
  const { passed, failed } = await page
    .locator("#conformance")
    .evaluate(({ dataset }) => ({ ...dataset }));
  assert.deepEqual([passed, failed], [String(CASES.length), "0"]);
  const result = await page.locator("#conformance-result").textContent();
  assert.match(
    result,
    /passed, 0 failed · largest error: 0\.\d+ of its tolerance · one row: [\d.]+ µs/,
  );
});

test("typing a row changes the answer", async (t) => {
  const page = await openReady(t);
  for (const n of [1, 2]) {
    await page.getByLabel("As numbers").fill(RANDOM.features[n].join(" "));
    await waitForAnswer(page, n);
  }
});

test("a slider changes the answer from the keyboard, and the row can be restored", async (t) => {
  const page = await openReady(t);
  const field = page.getByLabel("As numbers");
  const decision = await page.locator("#formula").textContent();
  const before = await field.inputValue();
  const slider = page.getByRole("slider").first();
  await slider.focus();
  await slider.press("End");
  await page.waitForFunction((text) => document.querySelector("#field").value !== text, before);
  const after = await field.inputValue();
  assert.equal(after.split(", ").slice(1).join(), before.split(", ").slice(1).join());
  assert.ok(Number(after.split(",")[0]) > Number(before.split(",")[0]));
  await page.getByRole("button", { name: "Undo changes" }).click();
  assert.equal(await field.inputValue(), before);
  await page.waitForFunction(
    (text) => document.querySelector("#formula").textContent === text,
    decision,
  );
});

test("a cell is chosen, and its value spread", { skip: HEAD.features <= 30 }, async (t) => {
  const page = await openReady(t);
  const readRow = async () => (await page.getByLabel("As numbers").inputValue()).split(", ");
  const before = await readRow();
  const cells = page.locator(".map i");
  await cells.nth(3).hover();
  await page.mouse.down();
  await cells.nth(4).hover();
  await page.mouse.up();
  assert.equal(await page.getByRole("spinbutton", { name: "feature" }).inputValue(), "3");
  assert.deepEqual(await readRow(), before.with(4, before[3]));
});

test("a file that is dropped brings its rows", async (t) => {
  const page = await openReady(t);
  await drop(page, "rows.json", JSON.stringify(RANDOM.features));
  await waitForAnswer(page, 0);
  await page.getByRole("button", { name: "next row" }).click();
  await waitForAnswer(page, 1);
  await page.getByRole("spinbutton", { name: "row" }).fill("4");
  await waitForAnswer(page, 3);
  assert.equal(await page.getByLabel("Row from").inputValue(), "rows.json");
});

test("a file that is chosen brings its row, and one that is wrong a message", async (t) => {
  const page = await openReady(t);
  const choose = (name, text) =>
    page
      .getByLabel("Open a file")
      .setInputFiles({ name, mimeType: "text/csv", buffer: Buffer.from(text) });
  await choose("row.csv", RANDOM.features[2].join(","));
  await waitForAnswer(page, 2);
  await choose("wrong.csv", RANDOM.features[3].join(",").concat(",1"));
  const problem = page.locator("#file-problem");
  await problem.filter({ hasText: `${HEAD.features + 1} given: take 1 away.` }).waitFor();
  assert.match(await problem.textContent(), /^wrong\.csv: A row must have/);
  await waitForAnswer(page, 2);
});

test("a bad row gets a message beside the field, and a good one takes it away", async (t) => {
  const page = await openReady(t);
  const field = page.getByLabel("As numbers");
  const problem = page.locator("#field-problem");
  const bad = {
    "": `0 given: add ${HEAD.features}.`,
    [Array(HEAD.features + 1)
      .fill(1)
      .join()]: `${HEAD.features + 1} given: take 1 away.`,
    [Array(HEAD.features).fill("x").join()]: 'number 1 is "x": write it like 0.5 or 1e-3.',
  };
  for (const [text, message] of Object.entries(bad)) {
    await field.fill(text);
    await problem.filter({ hasText: message }).waitFor();
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    assert.ok(await page.getByText("still the answer to the last whole row").isVisible());
  }
  await field.fill(RANDOM.features[1].join(", "));
  await waitForAnswer(page, 1);
  assert.equal(await problem.textContent(), "");
  assert.equal(await field.getAttribute("aria-invalid"), "false");
  assert.ok(!(await page.getByText("still the answer").isVisible()));
});

test("a row with NaN has no answer and no steps, and says which feature it is", async (t) => {
  const page = await openReady(t);
  const last = HEAD.features - 1;
  await page.getByLabel("As numbers").fill(RANDOM.features[0].with(last, Number.NaN).join());
  await page.locator("#decision-label").filter({ hasText: "no answer" }).waitFor();
  const reason = page.getByText(`feature f${last} is NaN: make it a finite number`, {
    exact: true,
  });
  assert.ok(await reason.isVisible());
  assert.ok(!(await page.getByText("How this comes about").isVisible()));
});

test("a row with an infinite feature says which it is", async (t) => {
  const page = await openReady(t);
  await page.getByLabel("As numbers").fill(RANDOM.features[0].with(0, 1e39).join());
  await page.getByText("feature f0 is infinite as float32: make it a finite number").waitFor();
});

test("the formula gives the probability as the table does", async (t) => {
  const page = await openReady(t);
  for (const { name } of CASES.filter(({ features }) => features.length > 0)) {
    await page.getByLabel("Row from").selectOption(name);
    await page.evaluate(() => new Promise(requestAnimationFrame));
    const [shown, formula] = await page.evaluate(() =>
      ["#classes tr:has([aria-pressed='true']) .number", "#formula"].map(
        (selector) => document.querySelector(selector).textContent,
      ),
    );
    assert.ok(formula.replace(/\s|=/g, "").endsWith(shown), `${formula}, in the table ${shown}`);
  }
});

test("the steps add up to the logit, and are those of a class that is pressed", async (t) => {
  const page = await openReady(t);
  await page.getByLabel("As numbers").fill(RANDOM.features[1].join());
  await waitForAnswer(page, 1);
  const button = page.locator("#classes button").first();
  if ((await button.getAttribute("aria-pressed")) === "false") await button.click();
  assert.equal(await page.locator("#explained").textContent(), await button.textContent());
  const numbers = await page.locator("#sum .number").allTextContents();
  const thousandths = numbers.map((text) => Math.round(Number(text.replace("−", "-")) * 1000));
  const [sum, bias, logit] = thousandths.slice(-3);
  assert.equal(
    thousandths.slice(0, -3).reduce((a, b) => a + b),
    sum,
  );
  assert.equal(sum + bias, logit);
  const shown = await page.locator("#classes td:last-child .number").first().textContent();
  assert.ok(Math.abs(Number(shown.replace("−", "-")) * 1000 - logit) <= 1.5, `${shown} ${logit}`);
});

test("all classes are shown when they are asked for", { skip: HEAD.classes <= 10 }, async (t) => {
  const page = await openReady(t);
  assert.equal(await page.locator("#classes tr").count(), 10);
  await page.getByRole("button", { name: /^Show all/ }).click();
  assert.equal(await page.locator("#classes tr").count(), HEAD.classes);
});

test("it goes on without a network", async (t) => {
  const page = await openReady(t);
  await page.context().setOffline(true);
  await page.getByLabel("As numbers").fill(RANDOM.features[3].join());
  await waitForAnswer(page, 3);
});

test("a changed model is refused on the page", async (t) => {
  const page = await openPage(t);
  await replace(page, "model.onnx", Buffer.concat([readBytes("model.onnx"), Buffer.from([0])]));
  await page.open();
  const alert = page.getByRole("alert");
  await alert.filter({ hasText: "This bundle is refused" }).waitFor();
  assert.match(await alert.textContent(), /model\.onnx must be the file that was shipped/);
  assert.ok(!(await page.getByText("Features", { exact: true }).isVisible()));
});
