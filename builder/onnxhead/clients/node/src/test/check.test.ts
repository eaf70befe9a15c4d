import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { Answers } from "../comparison.js";
import { Classifier } from "../index.js";
import { readCases } from "../vectors.js";
import { BUNDLE, check, copyBundle, makeFolder } from "./fixtures.js";

const classifier = await Classifier.load(BUNDLE);

test("every vector is within its tolerance", async () => {
  const cases = await readCases(BUNDLE, classifier);
  const { status, stdout } = check();
  assert.match(stdout, /^largest error: 0(\.\d+)? of its tolerance\n\d+ passed, 0 failed\n$/);
  assert.match(stdout, new RegExp(`^${cases.length} passed`, "m"));
  assert.equal(status, 0);
});

const faults: [fault: string, spoil: (exact: Answers) => object, problem: RegExp][] = [
  [
    "a wrong logit",
    ({ logits, logits_tolerance: [[tolerance = 0] = []] }) => ({
      logits: logits.map((row) => row.map((logit) => logit + 2 * tolerance)),
    }),
    /^FAILED spoiled: logit of row 0, class 0 is \S+, expected \S+ within \S+$/m,
  ],
  [
    "a wrong probability",
    ({ probabilities, probabilities_tolerance: [tolerance = 0] }) => ({
      probabilities: probabilities.map((row) => row.map((value) => value - 2 * tolerance)),
    }),
    /^FAILED spoiled: probability of row 0, class 0 is \S+, expected \S+ within \S+$/m,
  ],
  [
    "a missing logit",
    () => ({ logits: [] }),
    /^FAILED spoiled: logit of row 0, class 0 is \S+, expected nan within \S+$/m,
  ],
  [
    "a wrong label",
    ({ labels }) => ({ labels: ["no label", ...labels.slice(1)] }),
    /^FAILED spoiled: label of row 0 is .+, expected "no label"$/m,
  ],
];

for (const [fault, spoil, problem] of faults) {
  test(`${fault} fails`, async (context) => {
    const folder = await copyBundle(context);
    const path = join(folder, "vectors.json");
    const { cases } = JSON.parse(await readFile(path, "utf8"));
    const [exact, ...others] = cases;
    const spoiled = { ...exact, ...spoil(exact), name: "spoiled" };
    await writeFile(path, JSON.stringify({ cases: [spoiled, ...others] }));
    const { status, stdout } = check(folder);
    assert.match(stdout, problem);
    assert.match(stdout, new RegExp(`^${others.length} passed, 1 failed$`, "m"));
    assert.equal(status, 1);
  });
}

test("a folder without a bundle is an error", async (context) => {
  const { status, stderr } = check(await makeFolder(context));
  assert.match(stderr, /^a bundle must have a head\.json/);
  assert.equal(status, 2);
});

const malformed = ["", "{", "[]", "{}", '{"cases": []}', '{"cases": [{}]}'];

for (const content of malformed) {
  test(`a vectors.json that is ${content} is refused`, async (context) => {
    const folder = await copyBundle(context);
    await writeFile(join(folder, "vectors.json"), content);
    const { status, stderr } = check(folder);
    assert.match(stderr, /vectors\.json must be as onnxhead ships it, it is not \(.*\): copy.*\n$/);
    assert.equal(status, 2);
  });
}

for (const args of [["--tim", BUNDLE], ["--help"], [BUNDLE, BUNDLE]]) {
  test(`the arguments ${args.join(" ")} are refused`, () => {
    const { status, stdout, stderr } = check(...args);
    assert.deepEqual([status, stdout, stderr], [2, "", "usage: check [--time] [BUNDLE]\n"]);
  });
}

test("the time of a row is measured", () => {
  const { status, stdout } = check("--time");
  assert.match(stdout, /^one row: \d+\.\d\d us\n$/);
  assert.equal(status, 0);
});
