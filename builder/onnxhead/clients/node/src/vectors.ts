import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Label, malformed, readObject } from "./bundle.js";
import type { Classifier } from "./classifier.js";
import type { Prediction } from "./prediction.js";

/** One batch of a bundle's vectors.json: rows with their exact answers and tolerances. */
export interface Case {
  readonly name: string;
  readonly features: readonly (readonly number[])[];
  readonly logits: readonly (readonly number[])[];
  readonly logits_tolerance: readonly (readonly number[])[];
  readonly probabilities: readonly (readonly number[])[];
  /** One per row. */
  readonly probabilities_tolerance: readonly number[];
  /** One per row; null where float32 arithmetic may decide otherwise. */
  readonly labels: readonly (Label | readonly Label[] | null)[];
}

/** What runs a case. */
export type Runner = Pick<Classifier, "labels" | "link" | "classify" | "classifyBatch">;

/** How the answers to a case compare with the exact ones. */
export interface Outcome {
  /** The largest error as a fraction of its tolerance; NaN where an answer is. */
  readonly largestError: number;
  /** The first thing that is wrong. */
  readonly problem: string | undefined;
}

interface Finding {
  readonly error: number;
  readonly problem: string | undefined;
}

/**
 * Reads the cases of a bundle.
 *
 * @param features How many features a row has.
 * @throws {BundleError} vectors.json is missing or malformed, has no cases, or is that of another head.
 */
export async function readCases(folder: string, features: number): Promise<Case[]> {
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

function isWhole(exact: Case, width: number): boolean {
  const { features, logits, logits_tolerance, probabilities, probabilities_tolerance, labels } =
    exact;
  return (
    [logits, logits_tolerance, probabilities, probabilities_tolerance, labels].every(
      Array.isArray,
    ) &&
    Array.isArray(features) &&
    features.every((row) => row.length === width)
  );
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
  const findings = answers.flatMap(([row, prediction]) =>
    compare(classifier, prediction, exact, row),
  );
  return {
    largestError: findings.reduce((largest, { error }) => Math.max(largest, error), 0),
    problem: findings.find(({ problem }) => problem !== undefined)?.problem,
  };
}

/** Formats a number with at most as many significant digits as asked for. */
export function significant(value: number, digits: number): string {
  return Number.isFinite(value)
    ? String(Number(value.toPrecision(digits)))
    : String(value).toLowerCase().replace("infinity", "inf");
}

/** Returns the error of every number in a prediction and what is wrong, logits first. */
function compare(
  { labels, link }: Runner,
  prediction: Prediction,
  exact: Case,
  row: number,
): Finding[] {
  return [
    ...labels.map((_, i) =>
      compareNumber(
        `logit of row ${row}, class ${i}`,
        prediction.logits[i],
        exact.logits[row]?.[i],
        exact.logits_tolerance[row]?.[i],
      ),
    ),
    ...labels.map((_, i) =>
      compareNumber(
        `probability of row ${row}, class ${i}`,
        prediction.probabilities[i],
        exact.probabilities[row]?.[i],
        exact.probabilities_tolerance[row],
      ),
    ),
    compareLabel(
      `label of row ${row}`,
      link === "sigmoid" ? prediction.above(0.5) : prediction.label,
      exact.labels[row],
    ),
  ];
}

/** A number that is missing is NaN, and NaN is within no tolerance. */
function compareNumber(
  what: string,
  answer = Number.NaN,
  exact = Number.NaN,
  tolerance = Number.NaN,
): Finding {
  const error = Math.abs(answer - exact) / tolerance;
  if (error <= 1) {
    return { error, problem: undefined };
  }
  const [got, expected] = [significant(answer, 6), significant(exact, 6)];
  return {
    error,
    problem: `${what} is ${got}, expected ${expected} within ${significant(tolerance, 2)}`,
  };
}

function compareLabel(
  what: string,
  answer: Label | Label[] | undefined,
  exact: Case["labels"][number] | undefined,
): Finding {
  if (exact === null || isDeepStrictEqual(answer, exact)) {
    return { error: 0, problem: undefined };
  }
  return {
    error: 0,
    problem: `${what} is ${JSON.stringify(answer)}, expected ${JSON.stringify(exact)}`,
  };
}
