/** The check of the bundle's vectors, in the browser that shows the page. */

import { check, describeReport, timeOneRow } from "../onnxhead/check.js";
import { find } from "./dom.js";

/** @import { Case } from "../onnxhead/bundle.js" */
/** @import { Classifier } from "../onnxhead/classifier.js" */

/**
 * Runs the check, and shows what it found: as text, and as data-passed and data-failed of the section.
 *
 * @param {Classifier} classifier
 * @param {Case[]} cases
 */
export async function showConformance(classifier, cases) {
  const report = await check(classifier, cases);
  const microseconds = await timeOneRow(classifier, cases);
  const lines = describeReport(report);
  const [error, counts] = lines.slice(-2);
  const section = find("conformance", HTMLElement);
  find("conformance-result", HTMLParagraphElement).textContent =
    `${counts} · ${error} · one row: ${microseconds.toFixed(1)} µs`;
  find("conformance-failures", HTMLPreElement).textContent = lines.slice(0, -2).join("\n");
  Object.assign(section.dataset, { passed: report.passed, failed: report.failures.length });
}
