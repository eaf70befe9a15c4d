import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Classifier, Prediction } from "../index.js";
import { type Case, type Runner, readCases, runCase } from "../vectors.js";
import { BUNDLE, check, copyBundle } from "./fixtures.js";

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

const classifier = await Classifier.load(BUNDLE);

test("the vectors have enough rows", async () => {
  const cases = await readCases(BUNDLE, classifier);
  assert(cases.flatMap(({ features }) => features).length >= 16);
});

test("the vectors of another head are refused", async (context) => {
  const folder = await copyBundle(context);
  const [shipped] = await readCases(folder, classifier);
  assert(shipped);
  const wide = { ...shipped, features: shipped.features.map((row) => [...row, 0]) };
  await writeFile(join(folder, "vectors.json"), JSON.stringify({ cases: [wide] }));
  const { status, stderr } = check(folder);
  assert.match(stderr, /it is not \(a case lacks a key, or has rows of another width\)/);
  assert.equal(status, 2);
});
