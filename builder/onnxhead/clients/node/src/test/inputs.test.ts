import assert from "node:assert/strict";
import { test } from "node:test";
import { packRow, packRows } from "../inputs.js";

const rows = Float32Array.of(1, 2, 3, 4, 5, 6);

test("a Float32Array is not copied", () => {
  assert.equal(packRow(rows, 6), rows);
  assert.equal(packRows(rows, 3), rows);
});

test("a Float32Array must hold whole rows", () => {
  assert.throws(() => packRows(rows, 4), {
    name: "FeaturesError",
    message:
      "a row must have 4 features, got 6 for all rows: pass those that the head was trained on, " +
      "in their order",
  });
});
