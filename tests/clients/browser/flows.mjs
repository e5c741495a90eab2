// The calls of a web application, in a real browser: each flow runs in the page
// and gives what it saw. The gateway's test reads the result as JSON.
//
//   node flows.mjs '{"page": "http://127.0.0.1:1/", "gateway": "http://127.0.0.1:2", "headers": {}, "limit": 10485760}'

import { chromium } from "playwright-core";

const config = JSON.parse(process.argv[2]);

const flows = {
  // The first flow of an upload page: a form's file, in one request.
  async "direct upload"({ api, headers, picture }) {
    const form = new FormData();
    form.append("file", new File([picture], "Käse 1.png", { type: "image/png" }));
    const response = await fetch(`${api}/direct`, { method: "POST", body: form, headers });
    return { status: response.status, body: await response.json(), etag: response.headers.get("ETag"), location: response.headers.get("Location") };
  },

  async "raw upload"({ api, headers, picture }) {
    const response = await fetch(`${api}/direct?filename=raw.png`, { method: "PUT", body: picture, headers: { ...headers, "Content-Type": "image/png" } });
    return { status: response.status, body: await response.json() };
  },

  // Only XMLHttpRequest tells how far an upload is.
  async "upload with progress"({ api, headers, picture }) {
    const form = new FormData();
    form.append("file", new File([picture, new Uint8Array(2 << 20)], "large.png", { type: "image/png" }));
    return await new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const seen = [];
      request.upload.onprogress = (event) => seen.push(event.loaded);
      request.onload = () => resolve({ status: request.status, body: JSON.parse(request.responseText), seen });
      request.onerror = () => reject(new Error("no answer"));
      request.open("POST", `${api}/direct`);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.send(form);
    });
  },

  // The second flow: ask for a link, then PUT the file there.
  async "upload by link"({ api, headers, picture }) {
    const asked = await fetch(`${api}/presigned`, {
      method: "POST",
      headers: { ...headers, "Content-Type": "application/json" },
      body: JSON.stringify({ filename: "link.png", content_type: "image/png" }),
    });
    const link = await asked.json();
    const put = await fetch(link.upload_url, { method: "PUT", body: picture, headers: { "Content-Type": "image/png" } });
    const complete = await fetch(`${api}/complete/${link.file_id}`, { method: "POST", headers });
    return { status: put.status, complete: complete.status, link, body: await complete.json() };
  },

  async "upload by form"({ api, headers, picture }) {
    const asked = await fetch(`${api}/presigned`, {
      method: "POST",
      headers: { ...headers, "Content-Type": "application/json" },
      body: JSON.stringify({ filename: "form.png", content_type: "image/png", method: "POST" }),
    });
    const link = await asked.json();
    const form = new FormData();
    for (const [name, value] of Object.entries(link.fields)) form.append(name, value);
    form.append("file", new File([picture], "form.png", { type: "image/png" }));
    const post = await fetch(link.upload_url, { method: "POST", body: form });
    const metadata = await fetch(`${api}/metadata/${link.file_id}`, { headers });
    return { status: post.status, metadata: metadata.status, body: await metadata.json() };
  },

  // The third flow: get it back, with a key and by a link.
  async "download"({ api, headers, picture }) {
    const form = new FormData();
    form.append("file", new File([picture], "Käse 2.png", { type: "image/png" }));
    const stored = await (await fetch(`${api}/direct`, { method: "POST", body: form, headers })).json();
    const same = async (response) => {
      const got = new Uint8Array(await response.arrayBuffer());
      return response.ok && got.length === picture.length && got.every((byte, i) => byte === picture[i]);
    };
    const direct = await fetch(`${api}/download/${stored.file_id}`, { headers });
    const range = await fetch(`${api}/download/${stored.file_id}`, { headers: { ...headers, Range: "bytes=2-5" } });
    const { download_url } = await (await fetch(`${api}/download/${stored.file_id}/url?expires_in=60`, { headers })).json();
    const linked = await fetch(download_url);
    return {
      status: direct.status, same: await same(direct), linked: await same(linked),
      range: [range.status, range.headers.get("Content-Range"), (await range.arrayBuffer()).byteLength],
      disposition: direct.headers.get("Content-Disposition"), etag: direct.headers.get("ETag") === `"${stored.etag}"`,
    };
  },

  // Refusals must be answers, although the browser is still sending.
  async "a form that is much too large"({ api, headers, large }) {
    const form = new FormData();
    form.append("file", new File([large], "huge.png", { type: "image/png" }));
    const response = await fetch(`${api}/direct`, { method: "POST", body: form, headers });
    return { status: response.status, body: await response.json() };
  },

  async "a body that is much too large"({ api, headers, large }) {
    const response = await fetch(`${api}/direct?filename=huge.png`, { method: "PUT", body: large, headers: { ...headers, "Content-Type": "image/png" } });
    return { status: response.status, body: await response.json() };
  },

  async "a large file of another type"({ api, headers, large }) {
    const form = new FormData();
    form.append("file", new File([large.slice(0, 9 << 20)], "page.html", { type: "text/html" }));
    const response = await fetch(`${api}/direct`, { method: "POST", body: form, headers });
    return { status: response.status, body: await response.json() };
  },

  async "no key"({ api, picture }) {
    const response = await fetch(`${api}/direct?filename=a.png`, { method: "PUT", body: picture, headers: { "Content-Type": "image/png" } });
    return { status: response.status, body: await response.json() };
  },
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  // The sandbox wants user namespaces that containers and root do not have.
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const results = {};
try {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: true });
  for (const [name, flow] of Object.entries(flows)) {
    if (config.only && !config.only.includes(name)) continue;
    const page = await context.newPage();
    try {
      await page.goto(config.page);
      results[name] = await page.evaluate(async ({ source, gateway, headers, limit }) => {
        const picture = new Uint8Array(4000);
        picture.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55]);
        const large = new Blob([picture, new Uint8Array(6 * limit)]);
        const flow = new Function(`return async function ${source.slice(source.indexOf("("))}`)();
        return await flow({ api: `${gateway}/api/v1/upload`, headers, picture, large });
      }, { source: flow.toString(), gateway: config.gateway, headers: config.headers, limit: config.limit });
    } catch (error) {
      results[name] = { error: String(error) };
    }
    await page.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(results));
