/** Rows of features out of text and files. */

/** Text holds no row. The message states the rule, what was given and the remedy. */
export class RowError extends Error {
  name = "RowError";
}

/**
 * Reads one row: numbers between spaces, commas, semicolons or line breaks, in brackets or not.
 *
 * @param {string} text
 * @param {number} width How many features a row has.
 * @returns {Float32Array}
 * @throws {RowError}
 */
export function parseRow(text, width) {
  const words = text.replace(/^[\s[]+|[\s\]]+$/g, "").match(/[^\s,;]+/g) ?? [];
  return toRow(words, width, "A row");
}

/**
 * Reads the rows of a file: JSON (a row or an array of rows), or CSV with or without a line of names.
 *
 * @param {string} text
 * @param {number} width How many features a row has.
 * @returns {Float32Array[]}
 * @throws {RowError}
 */
export function parseRows(text, width) {
  const rows = /^\s*[[{]/.test(text) ? parseJson(text) : parseCsv(text);
  if (rows.length === 0) {
    throw new RowError("A file must hold at least one row, this one holds none: choose another.");
  }
  return rows.map((row, i) => toRow(row, width, rows.length === 1 ? "A row" : `Row ${i + 1}`));
}

/**
 * @param {string} text
 * @returns {unknown[][]}
 */
function parseJson(text) {
  const json = text.replace(/-?\b(NaN|Infinity)\b/g, '"$&"'); // as Python writes them
  try {
    const array = JSON.parse(json);
    if (Array.isArray(array)) return array.every(Array.isArray) ? array : [array];
  } catch {} // falls through to the same message
  throw new RowError(
    "A file of JSON must hold an array of numbers or of rows, this one does not: write it again.",
  );
}

/** @param {string} text */
function parseCsv(text) {
  const lines = text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .map((line) => line.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")));
  const isNames = lines[0]?.every((cell) => toNumber(cell) === undefined);
  return isNames ? lines.slice(1) : lines;
}

/**
 * @param {unknown[]} values
 * @param {number} width
 * @param {string} subject
 */
function toRow(values, width, subject) {
  if (values.length !== width) {
    const difference = Math.abs(width - values.length);
    const remedy = values.length < width ? `add ${difference}` : `take ${difference} away`;
    const numbers = width === 1 ? "1 number" : `${width} numbers`;
    throw new RowError(`${subject} must have ${numbers}, ${values.length} given: ${remedy}.`);
  }
  return Float32Array.from(values, (value, j) => {
    const number = toNumber(value);
    if (number === undefined) {
      throw new RowError(
        `Features must be numbers, number ${j + 1} is ${JSON.stringify(value)}: write it like 0.5 or 1e-3.`,
      );
    }
    return number;
  });
}

/**
 * @param {unknown} value
 * @returns {number | undefined}
 */
function toNumber(value) {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value === "") return undefined;
  if (/^[+-]?nan$/i.test(value)) return Number.NaN;
  const number = Number(
    value.replace("\u2212", "-").replace(/^([+-]?)inf(inity)?$/i, "$1Infinity"),
  );
  return Number.isNaN(number) ? undefined : number;
}
