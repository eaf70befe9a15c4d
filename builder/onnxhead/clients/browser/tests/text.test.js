/** What needs no browser: rows out of text, numbers as text, and the arithmetic of the steps. */

import assert from "node:assert/strict";
import test from "node:test";
import { choosePlaces, deriveLink, deriveLogit, roundTogether } from "../page/derivation.js";
import { parseRow, parseRows } from "../page/rows.js";
import {
  formatFactor,
  formatFloat32,
  formatLabel,
  formatNumber,
  formatProbability,
  formatRelation,
} from "../page/text.js";

const ROW = Float32Array.of(0.5, 0.8, 1.2);

test("a row is read however its numbers are separated", () => {
  for (const text of ["0.5 0.8 1.2", "[0.5, 0.8, 1.2]", " 5e-1;\n.8\t+1.2 ", "[[0.5,0.8,1.2]]\n"]) {
    assert.deepEqual(parseRow(text, 3), ROW);
  }
  assert.deepEqual(parseRow("nan -inf −1", 3), Float32Array.of(Number.NaN, -Infinity, -1));
});

test("what is no row is refused with the rule, what was given and the remedy", () => {
  const refusals = {
    "": "A row must have 3 numbers, 0 given: add 3.",
    "1 2": "A row must have 3 numbers, 2 given: add 1.",
    "1 2 3 4 5": "A row must have 3 numbers, 5 given: take 2 away.",
    "1 two 3": 'Features must be numbers, number 2 is "two": write it like 0.5 or 1e-3.',
  };
  for (const [text, message] of Object.entries(refusals)) {
    assert.throws(() => parseRow(text, 3), { name: "RowError", message });
  }
});

test("decimal commas are told from commas between numbers", () => {
  for (const text of ["14,23;1,71;2", "0,5 0,8 1,2", "0,5\t,8\t−1,2", '"0,5";"0,8";"1,2"']) {
    for (const parse of [parseRow, parseRows]) {
      const message =
        /^Decimals must have a point, "\d*,\d+" has a comma: write it like \d*\.\d+\.$/;
      assert.throws(() => parse(text, 3), { name: "RowError", message });
    }
  }
  assert.throws(() => parseRows("a;b;c\n0,5;0,8;1,2\n", 3), /"0,5" has a comma: write it like 0.5/);
  assert.deepEqual(parseRow("0.5,0.8 1.2", 3), ROW);
  assert.deepEqual(parseRow("1,2\n3,4", 4), Float32Array.of(1, 2, 3, 4));
  assert.throws(
    () => parseRow("1,2 3,4", 5),
    /^RowError: A row must have 5 numbers, 4 given: add 1/,
  );
});

test("files of JSON and CSV are read, of one row and of many", () => {
  const next = Float32Array.of(1, 2, Number.NaN);
  assert.deepEqual(parseRows("[0.5, 0.8, 1.2]", 3), [ROW]);
  assert.deepEqual(parseRows("[[0.5, 0.8, 1.2],\n [1, 2, NaN]]", 3), [ROW, next]);
  assert.deepEqual(parseRows("0.5,0.8,1.2\r\n1,2,nan\r\n", 3), [ROW, next]);
  assert.deepEqual(parseRows('a;b;"c"\n0.5;0.8;"1.2"\n', 3), [ROW]);
});

test("a file without rows, or with a wrong one, is refused", () => {
  const refusals = {
    "": "A file must hold at least one row, this one holds none: choose another.",
    "[]": "A file must hold at least one row, this one holds none: choose another.",
    "[[1, 2, 3], [1, 2]]": "Row 2 must have 3 numbers, 2 given: add 1.",
    '{"rows": []}':
      "A file of JSON must hold an array of numbers or of rows, this one does not: write it again.",
    "[[1, null, 3]]": "Features must be numbers, number 2 is null: write it like 0.5 or 1e-3.",
    "1,2,3\n1,,3": 'Features must be numbers, number 2 is "": write it like 0.5 or 1e-3.',
  };
  for (const [text, message] of Object.entries(refusals)) {
    assert.throws(() => parseRows(text, 3), { name: "RowError", message });
  }
});

test("numbers and labels are written as people read them", () => {
  assert.deepEqual(
    [0.785, -1.5, -0.0001, 1e9, Number.NaN, -Infinity].map((value) => formatNumber(value)),
    ["0.785", "−1.500", "0.000", "1.000e+9", "NaN", "−∞"],
  );
  assert.deepEqual([0, 1e-9, 0.0005, 0.9994, 0.9999, 1].map(formatProbability), [
    "0.000",
    "<0.001",
    "0.001",
    "0.999",
    ">0.999",
    "1.000",
  ]);
  assert.deepEqual([1e-9, 0.25, 0.9999, 1].map(formatRelation), [
    "< 0.001",
    "= 0.250",
    "> 0.999",
    "= 1.000",
  ]);
  assert.deepEqual(
    [-0.0080021, 0, 1.5, -0.00012346, 12345678, 1e-40, -Infinity].map(formatFactor),
    ["−0.008002", "0", "1.5", "−1.235e−4", "1.235e+7", "1e−40", "−∞"],
  );
  assert.deepEqual([...ROW, 1 / 3].map(Math.fround).map(formatFloat32), [
    "0.5",
    "0.8",
    "1.2",
    "0.33333334",
  ]);
  assert.deepEqual(["naïve", "", 7, false].map(formatLabel), ["naïve", '""', "7", "false"]);
});

test("the steps are those of the worked example", () => {
  const { terms, sum, bias, logit } = deriveLogit(ROW, Float32Array.of(-0.5, 1.2, 1), 0.5, 2.41, 3);
  assert.deepEqual(
    terms.map(({ product }) => product),
    [-0.25, 0.96, 1.2],
  );
  assert.deepEqual([sum, bias, logit], [1.91, 0.5, 2.41]);

  const head = /** @type {const} */ ({ link: "softmax", temperature: 1 });
  const steps = deriveLink([0.5, 0.34, 2.41], head, [0, 1, 2], 3);
  assert.deepEqual(steps.exponentials, [1.649, 1.405, 11.134]);
  assert.deepEqual([steps.exponentialSum, steps.otherExponentials, steps.shift], [14.188, 0, 0]);
});

test("the largest products are listed, and the others are summed up", () => {
  const row = Float32Array.from({ length: 10 }, (_, j) => j);
  const { terms, restCount, rest, sum } = deriveLogit(row, row, 0, 285, 3);
  assert.deepEqual(
    terms.map(({ feature }) => feature),
    [2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.deepEqual([restCount, rest, sum], [2, 1, 285]);
  const unknown = deriveLogit(row, undefined, 0.5, 285.5, 3);
  assert.deepEqual([unknown.terms, unknown.restCount, unknown.rest], [[], 10, 285]);
});

test("the exponentials of large logits are shifted, those of one-vs-rest are sigmoids", () => {
  const large = deriveLink([1000, 998], { link: "softmax", temperature: 2 }, [0], 3);
  assert.deepEqual([large.shift, large.exponentials, large.otherExponentials], [500, [1], 0.368]);
  const ovr = deriveLink([0, 50], { link: "ovr", temperature: 1 }, [0, 1], 3);
  assert.deepEqual([ovr.exponentials, ovr.exponentialSum], [[0.5, 1], 1.5]);
});

test("numbers that are rounded together add up", () => {
  assert.deepEqual(roundTogether([1 / 3, 1 / 3, 1 / 3], 2), [0.34, 0.33, 0.33]);
  assert.deepEqual(roundTogether([0.111, 0.222], 1, 0.7), [0.3, 0.4]);
  assert.deepEqual([[10, 2], [0.0123], [0]].map(choosePlaces), [3, 4, 3]);
});
