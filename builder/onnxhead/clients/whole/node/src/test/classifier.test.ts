import assert from "node:assert/strict";
import { test } from "node:test";
import { toNumbers } from "../classifier.js";
import { Classifier } from "../index.js";
import { readCases } from "../vectors.js";
import { BUNDLE } from "./fixtures.js";

const classifier = await Classifier.load(BUNDLE);
const [sample] = await readCases(BUNDLE, classifier);
assert(sample);

test("there is one prediction per row, with a number per class", async () => {
  const predictions = await classifier.classify(sample.arrays);
  assert.equal(predictions.length, sample.labels.length);
  for (const { logits, probabilities } of predictions) {
    assert.equal(logits.length, classifier.labels.length);
    assert.equal(probabilities.length, classifier.labels.length);
  }
});

test("inputs are checked before anything runs", async () => {
  await assert.rejects(classifier.classify({}), { name: "InputsError" });
});

test("calls that overlap get the same answers", async () => {
  const [alone] = await classifier.classify(sample.arrays);
  const calls = Array.from({ length: 20 }, () => classifier.classify(sample.arrays));
  for (const [answer] of await Promise.all(calls)) {
    for (const [i, probability] of alone?.probabilities.entries() ?? []) {
      assert(Math.abs((answer?.probabilities[i] ?? Number.NaN) - probability) <= 1e-5);
    }
  }
});

function output(type: "float32" | "float64", ...dims: number[]) {
  return { type, dims, data: new Float32Array(dims.reduce((a, b) => a * b, 1)) };
}

test("answers of another shape or type are an error", () => {
  const right = output("float32", 2, 3);
  assert.deepEqual(toNumbers([right, right], 3, "x"), [right.data, right.data]);
  for (const wrong of [
    [right, output("float32", 3, 3)],
    [output("float32", 2, 4), output("float32", 2, 4)],
    [output("float32", 3), output("float32", 3)],
    [output("float32", 2, 3, 1), right],
    [right, output("float64", 2, 3)],
  ]) {
    assert.throws(() => toNumbers(wrong, 3, "x"), {
      name: "InputsError",
      message: /^logits and probabilities must be float32 \[rows, 3\], the model answers .* to x: /,
    });
  }
});
