/** Pages of dist/ in a real Chromium, with the bundle of this project. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { launchChromium } from "../tools/chromium.js";
import { serve } from "../tools/server.js";

export const BUNDLE = fileURLToPath(new URL("../bundle/", import.meta.url));
export const HEAD = readJson("head.json");
export const CASES = readJson("vectors.json").cases;
export const RANDOM = CASES.find(({ name }) => name === "random");

/** What another host is called in these tests: not localhost, so that its pages are no secure context. */
export const OTHER_HOST = "phone.test";

/**
 * Starts Chromium for the tests of a file. Returns a function that opens a page which must stay quiet until its test
 * ends: no message in the console, no request that fails, none to another host.
 */
export function useChromium() {
  let browser;
  before(async () => {
    browser = await launchChromium(`--host-resolver-rules=MAP ${OTHER_HOST} 127.0.0.1`);
  });
  after(() => browser.close());

  return async function open(
    test,
    { path = "", host = "localhost", noisy = false, ...options } = {},
  ) {
    const server = await serve({ bundle: BUNDLE, host: "127.0.0.1" });
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const noise = listen(page, host);
    test.after(async () => {
      await context.close();
      await server.close();
      if (!noisy) assert.deepEqual(noise, []);
    });
    const url = server.url.replace("127.0.0.1", host);
    return Object.assign(page, { open: () => page.goto(url + path) });
  };
}

function listen(page, host) {
  const noise = [];
  page.on("console", (message) => noise.push(message.text()));
  page.on("pageerror", (error) => noise.push(error.message));
  page.on("requestfailed", (request) => noise.push(`failed: ${request.url()}`));
  page.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol !== "data:" && hostname !== host) noise.push(`elsewhere: ${request.url()}`);
  });
  return noise;
}

/** Serves a page other bytes in the place of a file of the bundle. */
export async function replace(page, name, body) {
  await page.route(`**/bundle/${name}`, (route) => route.fulfill({ body }));
}

export function readBytes(name) {
  return readFileSync(BUNDLE + name);
}

function readJson(name) {
  return JSON.parse(readBytes(name).toString());
}
