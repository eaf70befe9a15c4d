import { isDeepStrictEqual } from "node:util";
import type { Label, Link } from "./bundle.js";
import type { Prediction } from "./prediction.js";

/** The exact answers to one batch of a bundle's vectors.json, with their tolerances. */
export interface Answers {
  readonly name: string;
  readonly logits: readonly (readonly number[])[];
  readonly logits_tolerance: readonly (readonly number[])[];
  readonly probabilities: readonly (readonly number[])[];
  /** One per row. */
  readonly probabilities_tolerance: readonly number[];
  /** One per row; null where float32 arithmetic may decide otherwise. */
  readonly labels: readonly (Label | readonly Label[] | null)[];
}

/** How the answers to a case compare with the exact ones. */
export interface Outcome {
  /** The largest error as a fraction of its tolerance; NaN where an answer is. */
  readonly largestError: number;
  /** The first thing that is wrong. */
  readonly problem: string | undefined;
}

/** Whose answers are compared. */
export interface Classes {
  /** One per class. */
  readonly labels: readonly Label[];
  readonly link: Link;
}

interface Finding {
  readonly error: number;
  readonly problem: string | undefined;
}

/** Tells whether all that states answers is there. */
export function hasAnswers(exact: Answers): boolean {
  const { logits, logits_tolerance, probabilities, probabilities_tolerance, labels } = exact;
  return [logits, logits_tolerance, probabilities, probabilities_tolerance, labels].every(
    Array.isArray,
  );
}

/** Compares predictions, each with the number of its row, with the exact answers. */
export function compareAll(
  classes: Classes,
  answers: readonly (readonly [row: number, prediction: Prediction])[],
  exact: Answers,
): Outcome {
  const findings = answers.flatMap(([row, prediction]) => compare(classes, prediction, exact, row));
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
  { labels, link }: Classes,
  prediction: Prediction,
  exact: Answers,
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
  exact: Answers["labels"][number] | undefined,
): Finding {
  if (exact === null || isDeepStrictEqual(answer, exact)) {
    return { error: 0, problem: undefined };
  }
  return {
    error: 0,
    problem: `${what} is ${JSON.stringify(answer)}, expected ${JSON.stringify(exact)}`,
  };
}
