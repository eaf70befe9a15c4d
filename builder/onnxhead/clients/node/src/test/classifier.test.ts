import assert from "node:assert/strict";
import { test } from "node:test";
import { Classifier, FeaturesError } from "../index.js";
import { BUNDLE } from "./fixtures.js";

const classifier = await Classifier.load(BUNDLE);
const row = Float32Array.from({ length: classifier.features }, (_, i) => Math.sin(i));

async function assertRefused(answer: Promise<unknown>, message: string): Promise<void> {
  await assert.rejects(answer, (error) => {
    assert(error instanceof FeaturesError);
    assert.equal(error.message, message);
    return true;
  });
}

test("no rows have no answers", async () => {
  assert.deepEqual(await classifier.classifyBatch([]), []);
  assert.deepEqual(await classifier.classifyBatch(new Float32Array()), []);
});

test("all labels are ranked, and above -1", async () => {
  const prediction = await classifier.classify(row);
  const top = prediction.top(classifier.labels.length + 1);
  assert.equal(top[0]?.label, prediction.label);
  assert.deepEqual(new Set(top.map(({ label }) => label)), new Set(classifier.labels));
  assert.deepEqual(prediction.above(-1), classifier.labels);
});

test("rows have the same answers in every form", async () => {
  const expected = await classifier.classifyBatch([row, row]);
  assert.deepEqual(await classifier.classifyBatch([[...row], Float64Array.from(row)]), expected);
  assert.deepEqual(await classifier.classifyBatch(Float32Array.of(...row, ...row)), expected);
  assert.deepEqual(await classifier.classify([...row]), await classifier.classify(row));
});

test("a row may be part of a larger array", async () => {
  const larger = Float32Array.of(9, ...row, 9);
  const part = larger.subarray(1, -1);
  assert.deepEqual(await classifier.classify(part), await classifier.classify(row));
});

test("a row with NaN has no label, and others have", async () => {
  const [first, second] = await classifier.classifyBatch([[Number.NaN, ...row.subarray(1)], row]);
  assert.equal(first?.label, undefined);
  assert.notEqual(second?.label, undefined);
});

test("a number beyond float32 is infinite", async () => {
  const beyond = await classifier.classify([1e39, ...row.subarray(1)]);
  const infinite = await classifier.classify([Number.POSITIVE_INFINITY, ...row.subarray(1)]);
  assert.deepEqual(beyond, infinite);
});

test("another width is refused", async () => {
  const { features } = classifier;
  const wider = new Float32Array(features + 1);
  const remedy = "pass those that the head was trained on, in their order";
  const message = `a row must have ${features} features, row 0 has ${features + 1}: ${remedy}`;
  await assertRefused(classifier.classify(wider), message);
  await assertRefused(classifier.classify([...wider]), message);
  await assertRefused(
    classifier.classifyBatch([row, []]),
    `a row must have ${features} features, row 1 has 0: ${remedy}`,
  );
});

test("what is not a number is refused", async () => {
  for (const [value, shown] of [
    ["1", "string 1"],
    [null, "object null"],
    [undefined, "undefined undefined"],
    [1n, "bigint 1"],
  ]) {
    const strange = [value, ...row.subarray(1)] as number[];
    await assertRefused(
      classifier.classify(strange),
      `features must be numbers, feature 0 of row 0 is ${shown}: convert it`,
    );
  }
});

test("calls that overlap get the same answers", async () => {
  const alone = await classifier.classify(row);
  const answers = await Promise.all(Array.from({ length: 200 }, () => classifier.classify(row)));
  for (const answer of answers) {
    assert.deepEqual(answer, alone);
  }
});
