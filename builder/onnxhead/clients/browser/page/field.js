/** The text field that holds the row as numbers. */

import { find } from "./dom.js";
import { parseRow, RowError } from "./rows.js";
import { formatFloat32 } from "./text.js";

/**
 * Sets the field up.
 *
 * @param {number} features
 * @param {(row: Float32Array) => void} onRow Called with the row when it is typed, as soon as it is one.
 * @param {() => void} onProblem Called when what is typed is no row.
 * @returns {{ show: (row: Float32Array) => void }}
 */
export function createField(features, onRow, onProblem) {
  const field = find("field", HTMLTextAreaElement);
  const problem = find("field-problem", HTMLParagraphElement);

  /** @param {string} message */
  function report(message) {
    field.ariaInvalid = String(message !== "");
    if (problem.textContent !== message) problem.textContent = message;
  }

  field.addEventListener("input", () => {
    try {
      const row = parseRow(field.value, features);
      report("");
      onRow(row);
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      report(error.message);
      onProblem();
    }
  });
  return {
    show(row) {
      field.value = Array.from(row, formatFloat32).join(", ");
      report("");
    },
  };
}
