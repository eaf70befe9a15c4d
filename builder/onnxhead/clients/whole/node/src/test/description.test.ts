import { test } from "node:test";
import { assertRefused, changeHead, copyBundle } from "./fixtures.js";

const x = { name: "x", dtype: "float32", shape: [null] };

const changes: [change: object, message: RegExp][] = [
  [{ format: "1" }, /reads bundles of format 2, .* states "1": ship it again .* have one each/],
  [{ inputs: [] }, /inputs is \[\]/],
  [{ inputs: ["pixels"] }, /inputs is \["pixels"\]/],
  [{ inputs: [null] }, /inputs is \[null\]/],
  [{ inputs: [{ ...x, dtype: "float16" }] }, /inputs is/],
  [{ inputs: [{ ...x, dtype: "constructor" }] }, /inputs is/],
  [{ inputs: [{ ...x, shape: ["batch"] }] }, /inputs is/],
  [{ inputs: [{ ...x, shape: [0] }] }, /inputs is/],
  [{ inputs: [x, x] }, /inputs is/],
  [{ inputs: [x] }, /the model must have the inputs and outputs of head\.json, x: float32 \[\?\];/],
];

for (const [change, message] of changes) {
  test(`a model with ${JSON.stringify(change)} is refused`, async (context) => {
    const folder = await copyBundle(context);
    await changeHead(folder, change);
    await assertRefused(folder, message);
  });
}
