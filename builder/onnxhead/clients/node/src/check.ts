/**
 * Compares the answers of a bundle's model with its vectors: check [--time] [BUNDLE].
 *
 * @module
 */

import { parseArgs } from "node:util";
import { BundleError } from "./bundle.js";
import { Classifier } from "./classifier.js";
import { type Case, readCases, runCase, significant } from "./vectors.js";

const WARMUP = 200;
const CALLS = 2000;

try {
  const { values, positionals } = parseArgs({
    options: { time: { type: "boolean" } },
    allowPositionals: true,
  });
  const [folder = "bundle"] = positionals;
  const classifier = await Classifier.load(folder);
  const cases = await readCases(folder);
  if (values.time) {
    console.log(`one row: ${(await medianMicroseconds(classifier, cases)).toFixed(2)} us`);
  } else {
    process.exitCode = await check(classifier, cases);
  }
} catch (error) {
  if (!(error instanceof BundleError)) {
    throw error;
  }
  console.error(error.message);
  process.exitCode = 2;
}

/** Prints how every case went, and returns the exit status. */
async function check(classifier: Classifier, cases: readonly Case[]): Promise<number> {
  let failed = 0;
  let largest = 0;
  for (const exact of cases) {
    const { largestError, problem } = await runCase(classifier, exact);
    largest = Math.max(largest, largestError);
    if (problem !== undefined) {
      failed += 1;
      console.log(`FAILED ${exact.name}: ${problem}`);
    }
  }
  console.log(`largest error: ${significant(largest, 3)} of its tolerance`);
  console.log(`${cases.length - failed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

/** Returns the median time of a call that classifies one row. */
async function medianMicroseconds(classifier: Classifier, cases: readonly Case[]): Promise<number> {
  const row = Float32Array.from(cases.flatMap(({ features }) => features)[0] ?? []);
  const times = [];
  for (let call = 0; call < WARMUP + CALLS; call++) {
    const start = performance.now();
    await classifier.classify(row);
    times.push((performance.now() - start) * 1000);
  }
  return times.slice(WARMUP).sort((a, b) => a - b)[CALLS / 2] as number;
}
