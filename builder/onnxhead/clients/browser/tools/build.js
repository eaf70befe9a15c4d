/** Copies the page, the library, the runtime and the bundle into dist/, which any static server serves. */

import { cp, mkdir, rm } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../", import.meta.url);
const DIST = new URL("dist/", ROOT);

await rm(DIST, { recursive: true, force: true });
for (const name of ["index.html", "check.html", "onnxhead", "page"]) {
  await cp(new URL(name, ROOT), new URL(name, DIST), { recursive: true });
}
await cp(new URL("bundle", ROOT), new URL("bundle", DIST), {
  recursive: true,
  filter: (source) => !basename(source).startsWith("test_data_set_"), // for other languages
});
await vendor("onnxruntime-web", [
  import.meta.resolve("onnxruntime-web/wasm"),
  import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"),
]);
const hashes = import.meta.resolve("@noble/hashes/sha2.js");
await vendor(
  "noble-hashes",
  ["sha2.js", "_md.js", "_u64.js", "utils.js", "LICENSE"].map((name) => new URL(name, hashes).href),
);

/**
 * @param {string} folder
 * @param {string[]} sources
 */
async function vendor(folder, sources) {
  const target = new URL(`vendor/${folder}/`, DIST);
  await mkdir(target, { recursive: true });
  for (const source of sources) {
    await cp(fileURLToPath(source), new URL(basename(source), target));
  }
}
