import { join } from "node:path";
import { malformed, readObject } from "./bundle.js";
import type { Classifier } from "./classifier.js";
import { type Answers, compareAll, hasAnswers, type Outcome } from "./comparison.js";

/** One batch of rows with their exact answers. */
export interface Case extends Answers {
  readonly features: readonly (readonly number[])[];
}

/** What runs a case. */
export type Runner = Pick<Classifier, "labels" | "link" | "classify" | "classifyBatch">;

/** How many calls of `makeCall` are timed, after those that warm up. */
export const CALLS = 2000;
export const WARMUP = 200;

/**
 * Reads the cases of a bundle.
 *
 * @throws {BundleError} vectors.json is missing or malformed, has no cases, or is that of another head.
 */
export async function readCases(
  folder: string,
  { features }: Pick<Classifier, "features">,
): Promise<Case[]> {
  const path = join(folder, "vectors.json");
  const { cases } = (await readObject(path)) as { cases?: Case[] };
  if (!cases?.length) {
    throw malformed(path, "it has no cases");
  }
  if (!cases.every((exact) => isWhole(exact, features))) {
    throw malformed(path, "a case lacks a key, or has rows of another width");
  }
  return cases;
}

/** Runs a case as one batch, and its first row alone. */
export async function runCase(classifier: Runner, exact: Case): Promise<Outcome> {
  const predictions = await classifier.classifyBatch(exact.features);
  const rows = exact.features.length;
  if (predictions.length !== rows) {
    return { largestError: 0, problem: `${predictions.length} answers for ${rows} rows` };
  }
  const answers = [...predictions.entries()];
  const [first] = exact.features;
  if (first !== undefined) {
    answers.push([0, await classifier.classify(first)]);
  }
  return compareAll(classifier, answers, exact);
}

/** Returns a call that is worth timing, and how many rows it classifies. */
export function makeCall(
  classifier: Runner,
  cases: readonly Case[],
): { call: () => Promise<unknown>; rows: number } {
  const row = Float32Array.from(cases.flatMap(({ features }) => features)[0] ?? []);
  return { call: () => classifier.classify(row), rows: 1 };
}

function isWhole(exact: Case, width: number): boolean {
  const { features } = exact;
  return (
    hasAnswers(exact) && Array.isArray(features) && features.every((row) => row.length === width)
  );
}
