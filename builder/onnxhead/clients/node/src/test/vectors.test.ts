import assert from "node:assert/strict";
import { test } from "node:test";
import { Prediction } from "../index.js";
import { type Case, type Runner, runCase, significant } from "../vectors.js";

const labels = ["no", "yes"];

const exact: Case = {
  name: "two rows",
  features: [[1], [2]],
  logits: [
    [0, 2],
    [0, 4],
  ],
  logits_tolerance: [
    [1, 1],
    [1, 1],
  ],
  probabilities: [
    [0.25, 0.75],
    [0.125, 0.875],
  ],
  probabilities_tolerance: [0.5, 0.5],
  labels: ["yes", null],
};

function predict(logits: [number, number], probabilities: [number, number]): Prediction {
  return new Prediction(Float32Array.from(logits), Float32Array.from(probabilities), labels);
}

const [first, second] = [predict([0.25, 2], [0.25, 0.75]), predict([0, 4], [0.125, 0.875])];

function runnerThatAnswers(batch: Prediction[], alone: Prediction): Runner {
  return {
    labels,
    link: "softmax",
    classify: async () => alone,
    classifyBatch: async () => batch,
  };
}

test("the largest error is a fraction of its tolerance", async () => {
  assert.deepEqual(await runCase(runnerThatAnswers([first, second], first), exact), {
    largestError: 0.25,
    problem: undefined,
  });
});

test("another number of answers fails", async () => {
  const { problem } = await runCase(runnerThatAnswers([first], first), exact);
  assert.equal(problem, "1 answers for 2 rows");
});

test("another answer to the first row alone fails", async () => {
  const alone = predict([1.5, 2], [0.25, 0.75]);
  assert.deepEqual(await runCase(runnerThatAnswers([first, second], alone), exact), {
    largestError: 1.5,
    problem: "logit of row 0, class 0 is 1.5, expected 0 within 1",
  });
});

test("an answer that is NaN fails", async () => {
  const undefinedAnswer = predict([0, 4], [Number.NaN, 0.875]);
  assert.deepEqual(await runCase(runnerThatAnswers([first, undefinedAnswer], first), exact), {
    largestError: Number.NaN,
    problem: "probability of row 1, class 0 is nan, expected 0.125 within 0.5",
  });
});

test("numbers have so many significant digits", () => {
  assert.equal(significant(0.21249, 3), "0.212");
  assert.equal(significant(-999.1, 6), "-999.1");
  assert.equal(significant(Number.NaN, 3), "nan");
  assert.equal(significant(Number.NEGATIVE_INFINITY, 3), "-inf");
});
