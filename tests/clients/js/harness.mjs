// What the cases share: the environment, the verdict lines, the comparisons.
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

export const env = {
  endpoint: process.env.S3_ENDPOINT,
  region: process.env.S3_REGION,
  store: process.env.S3_STORE,
  credentials: { accessKeyId: process.env.S3_ACCESS_KEY, secretAccessKey: process.env.S3_SECRET_KEY },
};

export const keys = JSON.parse(readFileSync(new URL("../keys.json", import.meta.url)));
export const MiB = 1 << 20;
export const bucketName = () => `aws-js-${randomUUID().slice(0, 13)}`;

/** The codes with which the store refuses this entry of keys, or undefined. */
export const refused = (entry) => entry.refused?.[env.store];

/** size bytes, different at every offset of any period. */
export function body(size, seed = "s") {
  const out = Buffer.alloc(size);
  for (let at = 0, n = 0; at < size; at += 32, n++) createHash("sha256").update(seed + n).digest().copy(out, at);
  return out;
}

const cases = [];
export const test = (name, run) => cases.push({ name, run });

export async function runCases() {
  for (const { name, run } of cases) {
    if (!name.includes(process.env.CASE ?? "")) continue;
    let verdict = "ok", reason = "";
    try {
      await run();
    } catch (error) {
      verdict = "fail";
      reason = `${error.name}: ${error.message}`.replace(/\s+/g, " ").slice(0, 700);
      if (process.env.TRACE) console.error(error);
    }
    console.log([verdict, name, reason].join("\t"));
  }
}

const show = (v) => (Buffer.isBuffer(v) ? `${v.length} bytes ${v.subarray(0, 40)}` : JSON.stringify(v));

export function same(got, want, what = "value") {
  const equal = Buffer.isBuffer(want) ? want.equals(got) : isDeepStrictEqual(got, want);
  if (!equal) throw new Error(`${what} is ${show(got)}, want ${show(want)}`);
}

/** The call is refused with this status and one of the codes. */
export async function refusedWith(status, call, ...codes) {
  try {
    await call();
  } catch (error) {
    same(error.$metadata?.httpStatusCode, status, `status (${error.name}: ${error.message})`);
    if (codes.length && !codes.includes(error.name)) throw new Error(`code ${error.name}, want ${codes}`);
    return;
  }
  throw new Error(`was taken, want ${status} ${codes}`);
}
