/** The Chromium of this machine. */

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const USUAL_PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/snap/bin/chromium",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:/Program Files/Google/Chrome/Application/chrome.exe",
  "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
];

/**
 * Starts it without a window.
 *
 * @param {string[]} switches Of its command line, besides those that keep it quiet.
 * @throws {Error} There is none.
 */
export async function launchChromium(...switches) {
  const executablePath = process.env.CHROMIUM ?? USUAL_PLACES.find((path) => existsSync(path));
  if (executablePath === undefined) {
    throw new Error(
      "a Chromium must be installed, none is in the usual places: install one (apt install chromium), " +
        "or name its program in the environment variable CHROMIUM",
    );
  }
  return chromium.launch({
    executablePath,
    args: [
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      ...switches,
    ],
  });
}
