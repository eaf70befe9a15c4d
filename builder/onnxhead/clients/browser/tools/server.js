/** A static server of dist/, as any other. */

import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import sirv from "sirv";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));

/**
 * Serves dist/, with another bundle in the place of its own where one is given.
 *
 * @param {{ bundle?: string, host?: string, port?: number }} options Port 0 is any that is free.
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serve({ bundle, host = "localhost", port = 0 }) {
  const serveDist = sirv(DIST, { dev: true });
  const serveBundle = bundle === undefined ? undefined : sirv(bundle, { dev: true });
  const server = createServer((request, response) => {
    if (serveBundle && request.url?.startsWith("/bundle/")) {
      request.url = request.url.slice("/bundle".length);
      serveBundle(request, response);
    } else {
      serveDist(request, response);
    }
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve(undefined));
  });
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://${host}:${address.port}/`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
