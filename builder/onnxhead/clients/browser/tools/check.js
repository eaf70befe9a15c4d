/** Runs check.html of dist/ on a bundle in Chromium: node tools/check.js [--time] [BUNDLE]. */

import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { launchChromium } from "./chromium.js";
import { serve } from "./server.js";

try {
  const { values, positionals } = parseArgs({
    options: { time: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  if (!existsSync(new URL("../dist/check.html", import.meta.url))) {
    throw new Error("dist/ must hold the page, it does not: run npm run build");
  }
  const { text, status } = await check(positionals[0] ?? "bundle", values.time ? "?time" : "");
  (status === 2 ? console.error : console.log)(text);
  process.exitCode = status;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
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
