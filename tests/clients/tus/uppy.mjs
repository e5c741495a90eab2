// Resumable uploads with Uppy in a real browser, from a page of another origin.
//
//   node uppy.mjs '{"page": "http://127.0.0.1:1/", "gateway": "http://127.0.0.1:2", "cut": "http://127.0.0.1:3", "headers": {}}'

import { build } from "esbuild";
import { chromium } from "playwright-core";

const config = JSON.parse(process.argv[2]);
const MIB = 1 << 20;

const script = await build({ entryPoints: [new URL("page.mjs", import.meta.url).pathname], bundle: true, format: "iife", write: false, platform: "browser" });
// The sandbox wants user namespaces that containers and root do not have.
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
try {
  const page = await browser.newPage();
  await page.goto(config.page);
  await page.addScriptTag({ content: script.outputFiles[0].text });
  const send = (wish) => page.evaluate((wish) => window.upload(wish), { headers: config.headers, ...wish });
  const results = {
    ...(await send({ base: config.gateway, files: [["several 1", 3 * MIB], ["several 2", 70_000], ["several 3", 6 * MIB + 1]] })),
    ...(await send({ base: config.cut, files: [["cut", 9 * MIB + 5]] })),
    ...(await send({ base: config.cut, files: [["cut, in chunks", 5 * MIB + 5]], chunkSize: 700_000 })),
    ...(await send({ base: config.gateway, files: [["too large", 21 * MIB]] })),
  };
  process.stdout.write(JSON.stringify(results));
} finally {
  await browser.close();
}
