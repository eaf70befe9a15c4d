/** Serves dist/ until it is interrupted: HOST and PORT are localhost and 8080 unless the environment names others. */

import { serve } from "./server.js";

const { HOST: host = "localhost", PORT: port = "8080" } = process.env;
const { url } = await serve({ host, port: Number(port) });
console.log(`the page is at ${url}`);
