/** The library in a page of the user's own, on the bundle beside it, whatever head that holds. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { CASES, HEAD, OTHER_HOST, RANDOM, readBytes, replace, useChromium } from "./chromium.js";

const OWN_PAGE = readFileSync(new URL("own-page.html", import.meta.url), "utf8");
const ROW = RANDOM.features[0];

const openPage = useChromium();

async function openOwnPage(t, options) {
  const page = await openPage(t, { path: "own-page.html", ...options });
  await page.route("**/own-page.html", (route) =>
    route.fulfill({ body: OWN_PAGE, contentType: "text/html" }),
  );
  return page;
}

/** Opens a page where `classifier` is loaded, and `check` and `errors` are there to call. */
async function openLoaded(t, options) {
  const page = await openOwnPage(t, options);
  await page.open();
  await page.evaluate(async () => {
    const { Classifier } = await import("/onnxhead/classifier.js");
    const { check } = await import("/onnxhead/check.js");
    const describe = async (promise) => promise.catch(({ name, message }) => `${name}: ${message}`);
    Object.assign(window, { classifier: await Classifier.load("bundle"), check, describe });
  });
  return page;
}

/** Returns what loading the bundle fails with. */
function loadInPage(page, folder = "bundle") {
  return page.evaluate(async (path) => {
    const { BundleError, Classifier } = await import("/onnxhead/classifier.js");
    return Classifier.load(path).then(
      () => "loaded",
      (error) => `${error instanceof BundleError ? "" : "no BundleError: "}${error.message}`,
    );
  }, folder);
}

test("a page of one's own shows the answer", async (t) => {
  const page = await openOwnPage(t);
  await page.open();
  await page.waitForFunction(() => document.body.textContent.trim() !== "");
  const answer = JSON.parse(await page.locator("body").textContent());
  assert.equal(answer.probabilities.length, HEAD.classes);
  assert.ok(HEAD.labels.includes(answer.label));
  assert.equal(answer.top.length, Math.min(3, HEAD.classes));
});

test("every vector is within its tolerance", async (t) => {
  const page = await openLoaded(t);
  const report = await page.evaluate((cases) => check(classifier, cases), CASES);
  assert.deepEqual(report.failures, []);
  assert.equal(report.passed, CASES.length);
  assert.ok(report.largestError <= 1);
});

test("a vector that is wrong fails", async (t) => {
  const page = await openLoaded(t);
  const [wrong] = structuredClone(CASES);
  wrong.logits[0][0] += 2 * wrong.logits_tolerance[0][0];
  const { failures, largestError } = await page.evaluate((c) => check(classifier, [c]), wrong);
  assert.equal(failures[0].name, wrong.name);
  assert.match(failures[0].problem, /^logit of row 0, class 0 is /);
  assert.ok(largestError > 1);
});

test("no rows have no answers", async (t) => {
  const page = await openLoaded(t);
  assert.deepEqual(await page.evaluate(() => classifier.classifyBatch([])), []);
});

test("the top labels are in order", async (t) => {
  const page = await openLoaded(t);
  const { label, all, one, error } = await page.evaluate(async (row) => {
    const prediction = await classifier.classify(row);
    const error = await describe((async () => prediction.top(0))());
    const all = prediction.top(classifier.labels.length + 1);
    return { label: prediction.label, all, one: prediction.top(1), error };
  }, ROW);
  assert.equal(all[0].label, label);
  assert.deepEqual(new Set(all.map((entry) => entry.label)), new Set(HEAD.labels));
  const probabilities = all.map(({ probability }) => probability);
  assert.deepEqual(
    probabilities,
    probabilities.toSorted((a, b) => b - a),
  );
  assert.deepEqual(one, all.slice(0, 1));
  assert.equal(error, "RangeError: k must be at least 1, got 0");
});

test("labels above a threshold are in the order of the classes", async (t) => {
  const page = await openLoaded(t);
  const [all, none] = await page.evaluate(async (row) => {
    const prediction = await classifier.classify(row);
    return [prediction.above(-1), prediction.above(1)];
  }, ROW);
  assert.deepEqual(all, HEAD.labels);
  assert.deepEqual(none, []);
});

test("a row with NaN has no label, and others have", async (t) => {
  const page = await openLoaded(t);
  const [undefinedAnswer, definedLabel] = await page.evaluate(async () => {
    const zeros = new Float32Array(classifier.features);
    const [a, b] = await classifier.classifyBatch([zeros.with(0, Number.NaN), zeros]);
    return [[a.label, a.above(-1), a.top(3)], b.label];
  });
  assert.deepEqual(undefinedAnswer, [null, [], []]);
  assert.ok(HEAD.labels.includes(definedLabel));
});

test("another width and what is no number are refused", async (t) => {
  const page = await openLoaded(t);
  const [width, text] = await page.evaluate(async () => {
    const { features } = classifier;
    return [
      await describe(classifier.classify(new Float32Array(features + 1))),
      await describe(classifier.classify(Array(features).fill("many"))),
    ];
  });
  assert.equal(
    width,
    `FeaturesError: a row must have ${HEAD.features} features, got ${HEAD.features + 1}: ` +
      "pass those that the head was trained on, in their order",
  );
  assert.match(text, /^FeaturesError: features must be numbers, feature 0 is "many"/);
});

test("many calls at once get the same answers", async (t) => {
  const page = await openLoaded(t);
  const answers = await page.evaluate(async (row) => {
    const calls = Array.from({ length: 100 }, () => classifier.classify(row));
    return (await Promise.all(calls)).map(({ logits }) => logits.join());
  }, ROW);
  assert.equal(new Set(answers).size, 1);
});

test("a classifier that is released answers no more", async (t) => {
  const page = await openLoaded(t);
  const answer = await page.evaluate(async (row) => {
    await classifier.release();
    return describe(classifier.classify(row));
  }, ROW);
  assert.match(answer, /^Error: /);
});

test("it loads over plain http from another machine, where there is no crypto.subtle", async (t) => {
  const page = await openPage(t, { path: "check.html", host: OTHER_HOST });
  await page.open();
  await page.locator("pre[data-status='0']").waitFor();
  assert.equal(await page.evaluate(() => typeof crypto.subtle), "undefined");
});

for (const name of Object.keys(HEAD.sha256)) {
  test(`a changed ${name} is refused`, async (t) => {
    const page = await openOwnPage(t, { noisy: true });
    await replace(page, name, Buffer.concat([readBytes(name), Buffer.from([0])]));
    await page.open();
    const message = await loadInPage(page);
    assert.ok(
      message.startsWith(`${name} must be the file that was shipped, its SHA-256 is `),
      message,
    );
  });
}

const NO_BUNDLES = [
  [{ format: "2" }, /^this client reads bundles of format 1, bundle states "2": ship it again/],
  [{ model: 3 }, /^bundle\/head.json must be as onnxhead ships it, it is not \(a key/],
  [{ labels: "A" }, /^bundle\/head.json must be as onnxhead ships it, it is not \(a key/],
  [{ features: HEAD.features + 1 }, /^the model must have the inputs and outputs of head.json/],
  [
    { sha256: { ...HEAD.sha256, "missing.data": "" } },
    /^a bundle must hold bundle\/missing.data, it cannot be read/,
  ],
];
for (const [change, expected] of NO_BUNDLES) {
  test(`a head.json with another ${Object.keys(change)} is refused`, async (t) => {
    const page = await openOwnPage(t, { noisy: true });
    await replace(page, "head.json", JSON.stringify({ ...HEAD, ...change }));
    await page.open();
    assert.match(await loadInPage(page), expected);
  });
}

test("a folder without a bundle is refused", async (t) => {
  const page = await openOwnPage(t, { noisy: true });
  await page.open();
  assert.match(
    await loadInPage(page, "nowhere"),
    /^a bundle must have a head.json, nowhere has none \(.* 404\): name the bundle's folder/,
  );
});
