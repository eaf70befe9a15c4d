import { appendFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { readHead } from "../description.js";
import { assertRefused, changeHead, copyBundle, makeFolder } from "./fixtures.js";

test("a changed model is refused", async (context) => {
  const folder = await copyBundle(context);
  await appendFile(join(folder, "model.onnx"), "\0");
  await assertRefused(folder, /model\.onnx must be the file that was shipped/);
});

test("a missing model is refused", async (context) => {
  const folder = await copyBundle(context);
  await rm(join(folder, "model.onnx"));
  await assertRefused(folder, /a bundle must hold .*model\.onnx, it cannot be read \(ENOENT/);
});

test("a changed or missing data file is refused", async (context) => {
  const folder = await copyBundle(context);
  const { sha256 } = await readHead(folder);
  await changeHead(folder, { sha256: { ...sha256, "weight.data": "0".repeat(64) } });
  await assertRefused(folder, /a bundle must hold .*weight\.data, it cannot be read/);
  await writeFile(join(folder, "weight.data"), "changed");
  await assertRefused(folder, /weight\.data must be the file that was shipped/);
});

const changes: [change: object, message: RegExp][] = [
  [{ format: "9", model: {} }, /reads bundles of format \d, .* states "9": ship it again/],
  [{ format: undefined }, /head\.json must be as .* \(format is undefined\): copy/],
  [{ model: 3 }, /head\.json must be as onnxhead ships it, it is not \(model is 3\): copy/],
  [{ sha256: {} }, /model\.onnx must be the file that was shipped/],
  [{ inputs: 3 }, /inputs is 3/],
  [{ outputs: ["probabilities", "logits"] }, /the model must have the inputs and outputs/],
  [{ labels: ["same", "same"] }, /labels is \["same","same"\]/],
  [{ labels: [] }, /labels is \[\]/],
  [{ link: "tanh" }, /link is "tanh"/],
];

for (const [change, message] of changes) {
  test(`a head.json with ${JSON.stringify(change)} is refused`, async (context) => {
    const folder = await copyBundle(context);
    await changeHead(folder, change);
    await assertRefused(folder, message);
  });
}

test("a folder without a bundle is refused", async (context) => {
  await assertRefused(
    await makeFolder(context),
    /a bundle must have a head\.json, .* has none: name the bundle's folder/,
  );
});

test("a head.json that is no JSON is refused", async (context) => {
  const folder = await makeFolder(context);
  await writeFile(join(folder, "head.json"), "{");
  await assertRefused(folder, /head\.json must be as onnxhead ships it, it is not/);
});

test("a head.json that is no object is refused", async (context) => {
  const folder = await makeFolder(context);
  await writeFile(join(folder, "head.json"), "null");
  await assertRefused(
    folder,
    /head\.json must be as onnxhead ships it, it is not \(it is no JSON object\)/,
  );
});
