/** Runs check.html of dist/ on a bundle in Chromium: node tools/check.js [--time] [BUNDLE]. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { launchChromium } from "./chromium.js";
import { serve } from "./server.js";

process.exitCode = await run();

/** Runs the program, and returns the exit status. */
async function run() {
  const parsed = parseArguments();
  if (parsed === undefined) {
    console.error("usage: check [--time] [BUNDLE]");
    return 2;
  }
  try {
    if (!existsSync(new URL("../dist/check.html", import.meta.url))) {
      throw new Error("dist/ must hold the page, it does not: run npm run build");
    }
    if (!existsSync(join(parsed.bundle, "head.json"))) {
      throw new Error(
        `a bundle must have a head.json, ${parsed.bundle} has none: name the bundle's folder, or copy the bundle ` +
          "again, as a whole",
      );
    }
    const { text, status } = await check(parsed.bundle, parsed.isTimed ? "?time" : "");
    (status === 2 ? console.error : console.log)(text);
    return status;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }
}

/** Returns undefined where there is another option, or a second bundle. */
function parseArguments() {
  try {
    const { values, positionals } = parseArgs({
      options: { time: { type: "boolean", default: false } },
      allowPositionals: true,
    });
    const [bundle = "bundle", ...others] = positionals;
    return others.length === 0 ? { bundle, isTimed: values.time } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} bundle
 * @param {string} query
 */
async function check(bundle, query) {
  const [server, browser] = await Promise.all([serve({ bundle }), launchChromium()]);
  try {
    const page = await browser.newPage();
    await page.goto(`${server.url}check.html${query}`);
    const output = page.locator("pre[data-status]");
    await output.waitFor({ timeout: 120_000 });
    const status = Number(await output.getAttribute("data-status"));
    return { text: await output.textContent(), status };
  } finally {
    await browser.close();
    await server.close();
  }
}
