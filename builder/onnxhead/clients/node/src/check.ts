/**
 * Compares the answers of a bundle's model with its vectors: check [--time] [BUNDLE].
 *
 * @module
 */

import { parseArgs } from "node:util";
import { BundleError } from "./bundle.js";
import { Classifier } from "./classifier.js";
import { significant } from "./comparison.js";
import { CALLS, type Case, makeCall, readCases, runCase, WARMUP } from "./vectors.js";

process.exitCode = await run();

/** Runs the program, and returns the exit status. */
async function run(): Promise<number> {
  const parsed = parseArguments();
  if (parsed === undefined) {
    console.error("usage: check [--time] [BUNDLE]");
    return 2;
  }
  try {
    const classifier = await Classifier.load(parsed.folder);
    const cases = await readCases(parsed.folder, classifier);
    return await (parsed.isTimed ? time(classifier, cases) : check(classifier, cases));
  } catch (error) {
    if (!(error instanceof BundleError)) {
      throw error;
    }
    console.error(error.message);
    return 2;
  }
}

/** Returns undefined where there is another option, or a second bundle. */
function parseArguments(): { folder: string; isTimed: boolean } | undefined {
  try {
    const { values, positionals } = parseArgs({
      options: { time: { type: "boolean", default: false } },
      allowPositionals: true,
    });
    const [folder = "bundle", ...others] = positionals;
    return others.length === 0 ? { folder, isTimed: values.time } : undefined;
  } catch {
    return undefined;
  }
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

/** Prints the median time that one row takes, and returns the exit status. */
async function time(classifier: Classifier, cases: readonly Case[]): Promise<number> {
  const { call, rows } = makeCall(classifier, cases);
  const times = [];
  for (let i = 0; i < WARMUP + CALLS; i++) {
    const start = performance.now();
    await call();
    times.push(((performance.now() - start) * 1000) / rows);
  }
  const median = times.slice(WARMUP).sort((a, b) => a - b)[CALLS / 2] as number;
  console.log(`one row: ${median.toFixed(2)} us`);
  return 0;
}
