import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { PROJECT } from "./fixtures.js";

test("the example in the README runs", async () => {
  const readme = await readFile(join(PROJECT, "README.md"), "utf8");
  const [, example = ""] = /```js\n(.*?)```/s.exec(readme) ?? [];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", example],
    { cwd: PROJECT, encoding: "utf8" },
  );
  assert.equal(stderr, "");
  assert.equal(status, 0);
  assert.match(stdout, /Float32Array/);
});
