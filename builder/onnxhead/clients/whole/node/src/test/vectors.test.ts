import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { InputsError, Prediction } from "../index.js";
import { type Case, makeCall, type Runner, runCase } from "../vectors.js";
import { check, copyBundle } from "./fixtures.js";

const labels = ["no", "yes"];

const exact: Case = {
  name: "one row",
  arrays: {},
  logits: [[0, 2]],
  logits_tolerance: [[1, 1]],
  probabilities: [[0.25, 0.75]],
  probabilities_tolerance: [0.5],
  labels: ["yes"],
};

function runnerThatAnswers(...answers: [number, number][]): Runner {
  const predictions = answers.map(
    (logits) =>
      new Prediction(Float32Array.from(logits), Float32Array.of(Number.NaN, 0.75), labels),
  );
  return { labels, link: "softmax", classify: async () => predictions };
}

test("an answer that is NaN fails", async () => {
  assert.deepEqual(await runCase(runnerThatAnswers([0.25, 2]), exact), {
    largestError: Number.NaN,
    problem: "probability of row 0, class 0 is nan, expected 0.25 within 0.5",
  });
});

test("another number of answers fails", async () => {
  const { problem } = await runCase(runnerThatAnswers([0, 2], [0, 2]), exact);
  assert.equal(problem, "2 answers for 1 rows");
});

test("a model that does not run fails its case, and other errors are thrown", async () => {
  const broken = (error: Error): Runner => ({
    labels,
    link: "softmax",
    classify: () => Promise.reject(error),
  });
  const { problem } = await runCase(broken(new InputsError("it fails")), exact);
  assert.equal(problem, "it fails");
  await assert.rejects(runCase(broken(new RangeError("another")), exact), RangeError);
});

test("the case with the fewest rows is timed", () => {
  const longer = { ...exact, labels: ["yes", "no"] };
  assert.equal(makeCall(runnerThatAnswers(), [longer, exact, longer]).rows, 1);
});

const changes: [change: object, message: RegExp][] = [
  [{ file: "../secret.bin" }, /the file of an input is in a test_data_set, .* is not/],
  [{ file: "test_data_set_0/../head.json" }, /the file of an input is in a test_data_set/],
  [{ file: "test_data_set_0/missing.bin" }, /must hold .*missing\.bin, it cannot be read/],
  [{ shape: [1, 2, 3, 4, 5, 6, 7] }, /input_0\.bin must be .* has not \d+ bytes/],
  [{ shape: 3 }, /an input has a dtype and a shape/],
  [{ dtype: "constructor" }, /an input has a dtype and a shape/],
  [{ name: "another" }, /a case has the inputs of another model/],
];

for (const [change, message] of changes) {
  test(`vectors with an input that has ${JSON.stringify(change)} are refused`, async (context) => {
    const folder = await copyBundle(context);
    const path = join(folder, "vectors.json");
    const document = JSON.parse(await readFile(path, "utf8"));
    Object.assign(document.cases[0].inputs[0], change);
    await writeFile(path, JSON.stringify(document));
    const { status, stderr } = check(folder);
    assert.match(stderr, message);
    assert.equal(status, 2);
  });
}
