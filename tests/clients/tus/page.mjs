// What runs in the page: Uppy with its tus plugin. esbuild makes one script of it.

import Uppy from "@uppy/core";
import Tus from "@uppy/tus";

// upload sends files as a page with Uppy does and gives what it saw.
window.upload = async ({ base, headers, files, chunkSize }) => {
  const uppy = new Uppy({ autoProceed: false });
  const seen = [];
  uppy.use(Tus, {
    endpoint: `${base}/api/v1/upload/resumable`,
    headers,
    allowedMetaFields: ["filename", "filetype"],
    retryDelays: Array(60).fill(5),
    removeFingerprintOnSuccess: true,
    limit: 2,
    ...(chunkSize ? { chunkSize } : {}),
    onAfterResponse: (request, response) => {
      const id = response.getHeader("X-File-Id");
      if (id) seen.push({ url: request.getURL(), id });
    },
  });
  const sums = {};
  for (const [name, size] of files) {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = (i * 2654435761) >>> 13;
    bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a].slice(0, size));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    sums[name] = { size, sha256: Array.from(digest, (b) => b.toString(16).padStart(2, "0")).join("") };
    const id = uppy.addFile({ name, type: "image/png", data: new File([bytes], name, { type: "image/png" }) });
    uppy.setFileMeta(id, { filename: "Käse 1.png", filetype: "image/png" });
  }
  const result = await uppy.upload();
  const results = {};
  for (const file of result.successful) {
    results[file.name] = { ...sums[file.name], fileId: seen.find((s) => s.url === file.uploadURL || s.url === file.tus?.uploadUrl)?.id ?? "" };
  }
  for (const file of result.failed) {
    results[file.name] = { ...sums[file.name], error: String(file.error), status: file.response?.status ?? 0 };
  }
  return results;
};
