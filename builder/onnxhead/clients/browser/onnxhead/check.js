/** Compares the answers of a bundle's model with its vectors. */

/** @import { Case, Label } from "./bundle.js" */
/** @import { Classifier, Prediction } from "./classifier.js" */

const WARMUP = 200;
const BLOCKS = 20;
const CALLS_PER_BLOCK = 100; // browsers round the clock to 0.1 ms: one call alone cannot be timed

/**
 * @typedef {object} Report
 * @property {number} passed How many cases passed.
 * @property {{ name: string, problem: string }[]} failures Of each case that failed, the first thing that is wrong.
 * @property {number} largestError As a fraction of its tolerance; NaN where an answer is.
 */

/**
 * Runs every case as a batch, and its first row alone.
 *
 * @param {Classifier} classifier
 * @param {Case[]} cases
 * @returns {Promise<Report>}
 */
export async function check(classifier, cases) {
  /** @type {Report} */
  const report = { passed: 0, failures: [], largestError: 0 };
  for (const expected of cases) {
    const { problem, largestError } = await runCase(classifier, expected);
    if (problem === undefined) report.passed++;
    else report.failures.push({ name: expected.name, problem });
    report.largestError = Math.max(report.largestError, largestError); // NaN stays
  }
  return report;
}

/**
 * Writes a report as lines of text.
 *
 * @param {Report} report
 */
export function describeReport({ passed, failures, largestError }) {
  return [
    ...failures.map(({ name, problem }) => `FAILED ${name}: ${problem}`),
    `largest error: ${round(largestError, 3)} of its tolerance`,
    `${passed} passed, ${failures.length} failed`,
  ];
}

/**
 * Times calls that classify one row; other tasks of the page run in between.
 *
 * @param {Classifier} classifier
 * @param {Case[]} cases
 * @returns {Promise<number>} Microseconds of one call: the median of 20 means of 100 calls.
 */
export async function timeOneRow(classifier, cases) {
  const row = Float32Array.from(cases.flatMap(({ features }) => features)[0]);
  for (let call = 0; call < WARMUP; call++) await classifier.classify(row);
  const means = [];
  for (let block = 0; block < BLOCKS; block++) {
    await new Promise((resolve) => setTimeout(resolve));
    const start = performance.now();
    for (let call = 0; call < CALLS_PER_BLOCK; call++) await classifier.classify(row);
    means.push(((performance.now() - start) / CALLS_PER_BLOCK) * 1000);
  }
  means.sort((a, b) => a - b);
  return (means[BLOCKS / 2 - 1] + means[BLOCKS / 2]) / 2;
}

/**
 * @param {Classifier} classifier
 * @param {Case} expected
 */
async function runCase(classifier, expected) {
  const rows = expected.features;
  const predictions = await classifier.classifyBatch(rows);
  if (predictions.length !== rows.length) {
    const problem = `${predictions.length} answers for ${rows.length} rows`;
    return { problem, largestError: 0 };
  }
  const answers = [...predictions.entries()];
  if (rows.length > 0) answers.push([0, await classifier.classify(rows[0])]);
  /** @type {string | undefined} */
  let problem;
  let largestError = 0;
  for (const [row, prediction] of answers) {
    for (const number of compareNumbers(prediction, expected, row)) {
      largestError = Math.max(largestError, number.error);
      if (!(number.error <= 1)) problem ??= number.describe(); // also where it is NaN
    }
    problem ??= compareLabels(prediction, expected, row, classifier.link);
  }
  return { problem, largestError };
}

/**
 * Yields of every logit and probability its error, as a fraction of its tolerance.
 *
 * @param {Prediction} prediction
 * @param {Case} expected
 * @param {number} row
 */
function* compareNumbers({ logits, probabilities }, expected, row) {
  const probabilityTolerance = expected.probabilities_tolerance[row];
  for (let i = 0; i < logits.length; i++) {
    const tolerance = expected.logits_tolerance[row][i];
    yield compare("logit", row, i, logits[i], expected.logits[row][i], tolerance);
  }
  for (let i = 0; i < probabilities.length; i++) {
    const exact = expected.probabilities[row][i];
    yield compare("probability", row, i, probabilities[i], exact, probabilityTolerance);
  }
}

/**
 * @param {string} what
 * @param {number} row
 * @param {number} i
 * @param {number} got
 * @param {number} exact
 * @param {number} tolerance
 */
function compare(what, row, i, got, exact, tolerance) {
  return {
    error: Math.abs(got - exact) / tolerance,
    describe: () =>
      `${what} of row ${row}, class ${i} is ${round(got, 6)}, ` +
      `expected ${round(exact, 6)} within ${round(tolerance, 2)}`,
  };
}

/**
 * @param {Prediction} prediction
 * @param {Case} expected
 * @param {number} row
 * @param {Classifier["link"]} link
 */
function compareLabels(prediction, expected, row, link) {
  const exact = expected.labels[row];
  const got = link === "sigmoid" ? prediction.above(0.5) : prediction.label;
  if (exact === null || JSON.stringify(got) === JSON.stringify(exact)) return undefined;
  return `label of row ${row} is ${JSON.stringify(got)}, expected ${JSON.stringify(exact)}`;
}

/**
 * @param {number} value
 * @param {number} digits
 */
function round(value, digits) {
  if (Number.isNaN(value)) return "nan";
  return String(Number(value.toPrecision(digits))).replace("Infinity", "inf");
}
