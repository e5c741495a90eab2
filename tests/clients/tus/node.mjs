// Resumable uploads with tus-js-client in Node: each flow gives what it saw, and
// the gateway's test reads the result as JSON. "cut" is the gateway behind a
// network that breaks connections.
//
//   node node.mjs '{"gateway": "http://127.0.0.1:1", "cut": "http://127.0.0.1:2", "headers": {}}'

import { createHash } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import * as tus from "tus-js-client";

const config = JSON.parse(process.argv[2]);
const MIB = 1 << 20;

// picture is a PNG by its first bytes, of a given size.
function picture(size) {
  const head = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==", "base64");
  const whole = Buffer.alloc(size);
  for (let i = 0; i + 4 <= size; i += 4) whole.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i);
  head.copy(whole);
  return whole;
}

// send uploads and gives what the client was told; a refusal is a result too.
function send(source, base, options = {}, begin = (upload) => upload.start()) {
  return new Promise((resolve) => {
    const seen = { requests: 0, fileId: "", status: 0, error: "", body: "" };
    const upload = new tus.Upload(source, {
      endpoint: `${base}/api/v1/upload/resumable`,
      headers: config.headers,
      metadata: { filename: "Käse 1.png", filetype: "image/png" },
      retryDelays: Array(60).fill(5),
      onAfterResponse: (request, response) => {
        seen.requests++;
        seen.status = response.getStatus();
        seen.fileId = response.getHeader("X-File-Id") ?? seen.fileId;
      },
      onSuccess: () => resolve(seen),
      onError: (error) => {
        seen.error = String(error.message);
        seen.status = error.originalResponse?.getStatus() ?? 0;
        seen.body = error.originalResponse?.getBody() ?? "";
        resolve(seen);
      },
      ...options,
    });
    begin(upload, resolve, seen);
  });
}

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const sum = (bytes, seen) => ({ ...seen, size: bytes.length, sha256: sha256(bytes) });

const flows = {
  async "one request"() {
    const bytes = picture(3 * MIB + 1);
    return sum(bytes, await send(bytes, config.gateway));
  },

  async "bytes with the creation"() {
    const bytes = picture(70_000);
    return sum(bytes, await send(bytes, config.gateway, { uploadDataDuringCreation: true }));
  },

  async "an empty file"() {
    return sum(Buffer.alloc(0), await send(Buffer.alloc(0), config.gateway));
  },

  async "cut connections"() {
    const bytes = picture(12 * MIB + 345);
    return sum(bytes, await send(bytes, config.cut));
  },

  async "cut connections and small chunks"() {
    const bytes = picture(6 * MIB + 7);
    return sum(bytes, await send(bytes, config.cut, { chunkSize: 300_000 }));
  },

  async "a stream of unknown length"() {
    const bytes = picture(2 * MIB + 3);
    return sum(bytes, await send(Readable.from([bytes.subarray(0, MIB), bytes.subarray(MIB)]), config.gateway, { uploadLengthDeferred: true, chunkSize: 500_000, uploadSize: null }));
  },

  // The program ends in the middle; another one finds the upload again.
  async "found again"() {
    const bytes = picture(8 * MIB);
    const kept = { urlStorage: new tus.FileUrlStorage(join(mkdtempSync(join(tmpdir(), "tus-")), "urls")), fingerprint: async () => "the-file", chunkSize: MIB };
    await send(bytes, config.gateway, { ...kept, onChunkComplete: function () { this.stop?.(); } }, (upload, resolve, seen) => {
      upload.options.onChunkComplete = (_, accepted) => {
        if (accepted >= 3 * MIB) upload.abort().then(() => resolve(seen));
      };
      upload.start();
    });
    return sum(bytes, await send(bytes, config.gateway, kept, async (upload, resolve, seen) => {
      const previous = await upload.findPreviousUploads();
      seen.found = previous.length;
      upload.options.onProgress = (sent) => (seen.first ??= sent);
      upload.resumeFromPreviousUpload(previous[0]);
      upload.start();
    }));
  },

  async "terminated"() {
    const bytes = picture(4 * MIB);
    let url = "";
    const seen = await send(bytes, config.gateway, { chunkSize: MIB }, (upload, resolve, seen) => {
      upload.options.onChunkComplete = async (_, accepted) => {
        if (accepted < 2 * MIB || url) return;
        url = upload.url;
        await upload.abort(true).catch((error) => (seen.error = String(error)));
        resolve(seen);
      };
      upload.start();
    });
    const head = await fetch(url, { method: "HEAD", headers: { ...config.headers, "Tus-Resumable": "1.0.0" } });
    return { ...seen, status: head.status };
  },

  async "in parallel"() {
    return send(picture(2 * MIB), config.gateway, { parallelUploads: 2, retryDelays: null });
  },

  async "too large"() {
    return send(picture(21 * MIB), config.gateway, { retryDelays: [5] });
  },

  async "another type"() {
    return send(Buffer.from("#!/bin/sh\n"), config.gateway, { metadata: { filename: "a.sh", filetype: "text/x-shellscript" }, retryDelays: [5] });
  },

  async "bytes of another type"() {
    return send(Buffer.concat([Buffer.from("<html>"), Buffer.alloc(9000, 0x20)]), config.gateway, { retryDelays: [5] });
  },

  async "no key"() {
    return send(picture(100), config.gateway, { headers: {}, retryDelays: [5] });
  },
};

const results = {};
for (const [name, flow] of Object.entries(flows)) {
  try {
    results[name] = await flow();
  } catch (error) {
    results[name] = { error: `failed: ${error?.stack ?? error}` };
  }
}
process.stdout.write(JSON.stringify(results));
