import assert from "node:assert/strict";
import { test } from "node:test";
import { significant } from "../comparison.js";

test("numbers have so many significant digits", () => {
  assert.equal(significant(0.21249, 3), "0.212");
  assert.equal(significant(-999.1, 6), "-999.1");
  assert.equal(significant(Number.NaN, 3), "nan");
  assert.equal(significant(Number.NEGATIVE_INFINITY, 3), "-inf");
});
