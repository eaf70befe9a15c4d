/** The check as a page of its own: check.html, and check.html?time. `npm run check` reads what it writes. */

import { readCases } from "../onnxhead/bundle.js";
import { check, describeReport, timeOneRow } from "../onnxhead/check.js";
import { Classifier } from "../onnxhead/classifier.js";

/** @returns {Promise<{ lines: string[], status: number }>} */
async function run() {
  try {
    const [classifier, cases] = await Promise.all([Classifier.load("bundle"), readCases("bundle")]);
    if (location.search === "?time") {
      const microseconds = await timeOneRow(classifier, cases);
      return { lines: [`one row: ${microseconds.toFixed(2)} us`], status: 0 };
    }
    const report = await check(classifier, cases);
    return { lines: describeReport(report), status: report.failures.length > 0 ? 1 : 0 };
  } catch (error) {
    return { lines: [error instanceof Error ? error.message : String(error)], status: 2 };
  }
}

const { lines, status } = await run();
const output = /** @type {HTMLPreElement} */ (document.querySelector("pre"));
output.textContent = lines.join("\n");
output.dataset.status = String(status);
