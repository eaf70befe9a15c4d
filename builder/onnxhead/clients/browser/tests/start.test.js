/** The server that a person starts. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import test from "node:test";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../tools/start.js", import.meta.url));

function start(env) {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, timeout: 10_000 };
    execFile(process.execPath, [PROGRAM], options, (error, stdout, stderr) => {
      resolve({ status: error?.code ?? 0, stdout, stderr });
    });
  });
}

test("a port that is taken, or is none, is refused with the remedy", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  for (const port of [other.address().port, "many"]) {
    const { status, stdout, stderr } = await start({ HOST: "127.0.0.1", PORT: String(port) });
    assert.match(
      stderr,
      new RegExp(`^the page must be served at a port that is free, 127.0.0.1:${port} is none `),
    );
    assert.match(stderr, /\): name another, as in PORT=8081 npm start\n$/);
    assert.deepEqual([status, stdout], [1, ""]);
  }
});
