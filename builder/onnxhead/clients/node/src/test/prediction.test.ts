import assert from "node:assert/strict";
import { test } from "node:test";
import { Prediction } from "../index.js";

function predict(logits: number[], probabilities: number[]): Prediction {
  return new Prediction(Float32Array.from(logits), Float32Array.from(probabilities), [
    "a",
    1,
    true,
  ]);
}

test("the label is that of the largest logit, the first of equal ones", () => {
  assert.equal(predict([-3, -1, -2], [0.1, 0.6, 0.3]).label, 1);
  assert.equal(predict([-1, 2, 2], [0.2, 0.4, 0.4]).label, 1);
});

test("the top labels are in the order of their logits, the earlier first where they are equal", () => {
  const prediction = predict([1, 5, 5], [0.25, 0.5, 0.5]);
  assert.deepEqual(prediction.top(2), [
    { label: 1, probability: 0.5 },
    { label: true, probability: 0.5 },
  ]);
  assert.deepEqual(
    prediction.top(9).map(({ label }) => label),
    [1, true, "a"],
  );
});

test("there is no top of less than one label", () => {
  for (const k of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => predict([1, 2, 3], [0, 0, 1]).top(k), {
      name: "RangeError",
      message: `k must be an integer of at least 1, got ${k}`,
    });
  }
});

test("labels above a threshold are in the order of the classes", () => {
  const prediction = predict([2, 0, 3], [0.75, 0.5, 0.875]);
  assert.deepEqual(prediction.above(0.5), ["a", true]);
  assert.deepEqual(prediction.above(0), ["a", 1, true]);
  assert.deepEqual(prediction.above(1), []);
});

test("a probability that is NaN leaves no label", () => {
  const prediction = predict([1, 2, 3], [0.5, Number.NaN, 0.5]);
  assert.equal(prediction.label, undefined);
  assert.deepEqual(prediction.above(-1), []);
  assert.deepEqual(prediction.top(3), []);
});
