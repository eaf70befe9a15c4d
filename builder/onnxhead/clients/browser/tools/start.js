/** Serves dist/ until it is interrupted: HOST and PORT are localhost and 8080 unless the environment names others. */

import { serve } from "./server.js";

const { HOST: host = "localhost", PORT: port = "8080" } = process.env;
try {
  const { url } = await serve({ host, port: Number(port) });
  console.log(`the page is at ${url}`);
} catch (error) {
  const found = error instanceof Error ? error.message : error;
  console.error(
    `the page must be served at a port that is free, ${host}:${port} is none (${found}): ` +
      "name another, as in PORT=8081 npm start",
  );
  process.exitCode = 1;
}
