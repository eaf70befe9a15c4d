/** Numbers and labels as people read them. */

/** @import { Label } from "../onnxhead/bundle.js" */

const MINUS = "\u2212";

/**
 * Writes a number with a fixed number of decimals, or with an exponent where that would be unreadable.
 *
 * @param {number} value
 * @param {number} [decimals]
 */
export function formatNumber(value, decimals = 3) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  const text = Math.abs(value) < 1e7 ? value.toFixed(decimals) : value.toExponential(decimals);
  return withMinus(Number(text) === 0 ? text.replace("-", "") : text);
}

/**
 * Writes a number with its sign, as a term of a sum.
 *
 * @param {number} value
 * @param {number} decimals
 */
export function formatTerm(value, decimals) {
  const text = formatNumber(value, decimals);
  return text.startsWith(MINUS) ? text : `+${text}`;
}

/**
 * Writes a probability with three decimals; what is not 0 or 1 does not look like it.
 *
 * @param {number} value
 */
export function formatProbability(value) {
  if (value > 0 && value < 0.0005) return "<0.001";
  if (value < 1 && value >= 0.9995) return ">0.999";
  return formatNumber(value);
}

/**
 * Writes what a probability is equal to, less or more than, at the end of a formula.
 *
 * @param {number} value
 */
export function formatRelation(value) {
  const text = formatProbability(value);
  return /^[<>]/.test(text) ? `${text[0]} ${text.slice(1)}` : `= ${text}`;
}

/**
 * Writes a feature or a weight with up to four significant digits, and with an exponent where it would be long.
 *
 * @param {number} value
 */
export function formatFactor(value) {
  if (!Number.isFinite(value)) return formatNumber(value);
  const rounded = Number(value.toPrecision(4));
  const magnitude = Math.abs(rounded);
  const isShort = magnitude === 0 || (magnitude >= 0.001 && magnitude < 1e7);
  return withMinus(isShort ? String(rounded) : rounded.toExponential());
}

/**
 * Writes a float32 as the shortest decimal that is rounded to it, as people type it.
 *
 * @param {number} value
 */
export function formatFloat32(value) {
  for (let digits = 6; digits < 9; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === value) return String(decimal);
  }
  return String(Number(value.toPrecision(9)));
}

/**
 * Writes a label; one that could not be seen is quoted.
 *
 * @param {Label} label
 */
export function formatLabel(label) {
  const text = String(label);
  return text.trim() === "" ? JSON.stringify(text) : text;
}

/** @param {string} text */
function withMinus(text) {
  return text.replaceAll("-", MINUS);
}
