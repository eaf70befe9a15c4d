/** How one row's logits and probabilities come about, in rounded numbers that add up. */

/** @import { Classifier } from "../onnxhead/classifier.js" */

const MOST_TERMS = 8;
const MODERATE = 20; // exp(20) = 485,165,195

/**
 * How one logit comes about.
 *
 * @typedef {object} LogitSteps
 * @property {{ feature: number, weight: number, value: number, product: number }[]} terms The largest products by
 *     magnitude, in the order of the features.
 * @property {number} restCount How many products are not among them,
 * @property {number} rest and their sum.
 * @property {number} sum W f: terms and rest.
 * @property {number} bias
 * @property {number} logit sum + bias.
 */

/**
 * How probabilities come from logits.
 *
 * @typedef {object} LinkSteps
 * @property {number} shift What is subtracted before exp, so that it gives readable numbers: 0 where they are
 *     anyway, the largest otherwise. It cancels out.
 * @property {number[]} exponentials Of the listed classes: exp of the logit divided by the temperature; for `ovr`
 *     the sigmoid of that.
 * @property {number} otherExponentials The sum of those of all other classes.
 * @property {number} exponentialSum Of all.
 */

/**
 * Derives the logit of one class.
 *
 * @param {Float32Array} row
 * @param {Float32Array | undefined} weight Of the class, one per feature; undefined where it is not known.
 * @param {number} bias Of the class.
 * @param {number} logit
 * @param {number} places Decimal places.
 * @returns {LogitSteps} Without a weight all products are in the rest.
 */
export function deriveLogit(row, weight, bias, logit, places) {
  const [total, roundedBias] = roundTogether([logit - bias, bias], places);
  const products = weight
    ? Array.from(row, (value, feature) => ({ feature, weight: weight[feature], value }))
    : [];
  products.sort((a, b) => Math.abs(multiply(b)) - Math.abs(multiply(a)));
  const listed = products.slice(0, MOST_TERMS).sort((a, b) => a.feature - b.feature);
  const values = listed.map(multiply);
  const restCount = row.length - listed.length;
  if (restCount > 0) values.push(sum(products.slice(MOST_TERMS).map(multiply)));
  const rounded = roundTogether(values, places, total);
  return {
    terms: listed.map((term, k) => ({ ...term, product: rounded[k] })),
    restCount,
    rest: rounded[listed.length] ?? 0,
    sum: total,
    bias: roundedBias,
    logit: total + roundedBias,
  };
}

/**
 * Derives the exponentials whose shares are the probabilities.
 *
 * @param {ArrayLike<number>} logits
 * @param {Pick<Classifier, "link" | "temperature">} head
 * @param {number[]} listed The classes to list.
 * @param {number} places Decimal places.
 * @returns {LinkSteps}
 */
export function deriveLink(logits, { link, temperature }, listed, places) {
  const tempered = Array.from(logits, (logit) => logit / temperature);
  const scaled = link === "ovr" ? tempered.map(logSigmoid) : tempered;
  const isModerate = scaled.every((value) => Math.abs(value) <= MODERATE);
  const shift = isModerate ? 0 : scaled.reduce((a, b) => Math.max(a, b));
  const exponentials = scaled.map((value) => Math.exp(value - shift));
  const isListed = new Set(listed);
  const others = sum(exponentials.filter((_, i) => !isListed.has(i)));
  const rounded = roundTogether([...listed.map((i) => exponentials[i]), others], places);
  return {
    shift,
    exponentials: rounded.slice(0, -1),
    otherExponentials: others === 0 ? 0 : rounded[listed.length],
    exponentialSum: sum(rounded),
  };
}

/**
 * Returns how many decimal places show three digits of the largest logit.
 *
 * @param {ArrayLike<number>} logits
 */
export function choosePlaces(logits) {
  const largest = Array.from(logits, Math.abs).reduce((a, b) => Math.max(a, b));
  return largest === 0 ? 3 : Math.min(Math.max(3, 2 - Math.floor(Math.log10(largest))), 9);
}

/**
 * Rounds numbers so that they add up to their rounded sum: each down, and then those with the largest remainders up.
 *
 * @param {number[]} values
 * @param {number} places Decimal places.
 * @param {number} [total] What they are to add up to, where that is known otherwise.
 */
export function roundTogether(values, places, total = sum(values)) {
  const exact = values.map((value) => value * 10 ** places);
  const units = exact.map(Math.floor);
  const missing = Math.round(total * 10 ** places) - sum(units);
  const each = Math.floor(missing / units.length);
  const more = missing - each * units.length;
  const byRemainder = [...units.keys()].sort((i, j) => exact[j] - units[j] - (exact[i] - units[i]));
  for (const [rank, i] of byRemainder.entries()) units[i] += rank < more ? each + 1 : each;
  return units.map((unit) => unit / 10 ** places);
}

/** @param {{ weight: number, value: number }} term */
function multiply({ weight, value }) {
  return weight * value;
}

/** @param {number} z */
function logSigmoid(z) {
  return Math.min(z, 0) - Math.log1p(Math.exp(-Math.abs(z)));
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((a, b) => a + b, 0);
}
