/** The program, on the bundle beside it and on copies that are wrong. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { BUNDLE, CASES } from "./chromium.js";

const PROGRAM = fileURLToPath(new URL("../tools/check.js", import.meta.url));

function check(...args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...args], (error, stdout, stderr) => {
      resolve({ status: error?.code ?? 0, stdout, stderr });
    });
  });
}

function copyBundle(t) {
  const folder = mkdtempSync(join(tmpdir(), "bundle-"));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(BUNDLE, folder, { recursive: true });
  return folder;
}

test("a good bundle passes", async () => {
  const { status, stdout, stderr } = await check(BUNDLE);
  const [error, counts] = stdout.trimEnd().split("\n");
  assert.match(error, /^largest error: 0\.\d{1,6} of its tolerance$/);
  assert.equal(counts, `${CASES.length} passed, 0 failed`);
  assert.deepEqual([status, stderr], [0, ""]);
});

test("a wrong vector fails", async (t) => {
  const folder = copyBundle(t);
  const cases = structuredClone(CASES);
  cases[0].logits[0][0] += 1;
  writeFileSync(join(folder, "vectors.json"), JSON.stringify({ format: "1", cases }));
  const { status, stdout } = await check(folder);
  assert.match(stdout, new RegExp(`^FAILED ${cases[0].name}: logit of row 0, class 0 is `));
  assert.match(stdout, new RegExp(`\n${CASES.length - 1} passed, 1 failed\n$`));
  assert.equal(status, 1);
});

test("a changed model is refused", async (t) => {
  const folder = copyBundle(t);
  appendFileSync(join(folder, "model.onnx"), "\0");
  const { status, stdout, stderr } = await check(folder);
  assert.match(stderr, /^model\.onnx must be the file that was shipped/);
  assert.deepEqual([status, stdout], [2, ""]);
});

test("a folder that is not there is named", async () => {
  const { status, stdout, stderr } = await check("nowhere");
  assert.match(
    stderr,
    /^a bundle must have a head\.json, nowhere has none: name the bundle's folder/,
  );
  assert.deepEqual([status, stdout], [2, ""]);
});

for (const args of [["--tim", BUNDLE], ["--help"], [BUNDLE, BUNDLE]]) {
  test(`the arguments ${args.join(" ")} are refused`, async () => {
    const { status, stdout, stderr } = await check(...args);
    assert.deepEqual([status, stdout, stderr], [2, "", "usage: check [--time] [BUNDLE]\n"]);
  });
}

test("the time of one row is printed", async () => {
  const { status, stdout } = await check("--time", BUNDLE);
  assert.match(stdout, /^one row: \d+\.\d\d us\n$/);
  assert.equal(status, 0);
});
