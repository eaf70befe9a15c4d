import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

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
