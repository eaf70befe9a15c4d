import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { readHead } from "../description.js";
import { BundleError, Classifier } from "../index.js";

/** The folder of this project. */
export const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

/** The bundle beside the client, whatever head that holds. */
export const BUNDLE = join(PROJECT, "bundle");

/** Makes a folder that lasts as long as a test. */
export async function makeFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "onnxhead-"));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Copies the bundle for a test that changes it. */
export async function copyBundle(context: TestContext): Promise<string> {
  const folder = await makeFolder(context);
  await cp(BUNDLE, folder, { recursive: true });
  return folder;
}

/** Asserts that a bundle is refused with a message. */
export async function assertRefused(folder: string, message: RegExp): Promise<void> {
  await assert.rejects(Classifier.load(folder), (error) => {
    assert(error instanceof BundleError);
    assert.match(error.message, message);
    return true;
  });
}

/** Writes other values for keys of head.json. */
export async function changeHead(folder: string, change: object): Promise<void> {
  const head = await readHead(folder);
  await writeFile(join(folder, "head.json"), JSON.stringify({ ...head, ...change }));
}

/** Runs the program. */
export function check(...args: string[]): {
  status: number | null;
  stdout: string;
  stderr: string;
} {
  return spawnSync(process.execPath, ["dist/check.js", ...args], {
    cwd: PROJECT,
    encoding: "utf8",
  });
}
