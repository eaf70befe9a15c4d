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
  const inner = text.replace(/^[\s[]+|[\s\]]+$/g, "");
  const words = inner.match(/[^\s,;]+/g) ?? [];
  if (words.length !== width) refuseDecimalCommas(inner, width);
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
  const rows = /^\s*[[{]/.test(text) ? parseJson(text) : parseCsv(text, width);
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

/**
 * @param {string} text
 * @param {number} width
 */
function parseCsv(text, width) {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const rows = lines.map((line) =>
    line.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")),
  );
  const isNames =
    rows[0]?.every((cell) => toNumber(cell) === undefined) && !findDecimalComma(lines[0]);
  const first = isNames ? 1 : 0;
  for (let i = first; i < rows.length; i++) {
    if (rows[i].length !== width) refuseDecimalCommas(lines[i], width);
  }
  return rows.slice(first);
}

/**
 * Refuses a line whose commas are in its numbers: they are where something else separates them.
 *
 * @param {string} line One that holds another number of numbers, if commas separate them.
 * @param {number} width
 */
function refuseDecimalCommas(line, width) {
  const found = findDecimalComma(line);
  if (found && (splitWords(line).length === width || line.includes(";"))) {
    throw new RowError(
      `Decimals must have a point, ${JSON.stringify(found)} has a comma: write it like ${found.replace(",", ".")}.`,
    );
  }
}

/** @param {string} line */
function findDecimalComma(line) {
  return splitWords(line).find((word) => /^[+\u2212-]?\d*,\d+(e[+-]?\d+)?$/i.test(word));
}

/**
 * Splits at whatever may separate numbers but commas.
 *
 * @param {string} line
 * @returns {string[]}
 */
function splitWords(line) {
  return line.match(/[^\s;"]+/g) ?? [];
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
