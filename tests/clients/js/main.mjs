// AWS SDK for JavaScript v3: trailing checksums on every upload by default.
import { Readable } from "node:stream";
import * as S3 from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { MiB, body, bucketName, env, keys, refused, refusedWith, runCases, same, test } from "./harness.mjs";

const s3 = new S3.S3({ ...env, forcePathStyle: true, maxAttempts: 1 });
const B = bucketName();
await s3.createBucket({ Bucket: B });

const put = (Key, Body = "hello", more = {}) => s3.putObject({ Bucket: B, Key, Body, ...more });
async function get(Key, more = {}) {
  const got = await s3.getObject({ Bucket: B, Key, ...more });
  return Buffer.from(await got.Body.transformToByteArray());
}
async function fresh(versioned = false) {
  const Bucket = bucketName();
  await s3.createBucket({ Bucket });
  if (versioned) await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: "Enabled" } });
  return Bucket;
}

for (const entry of keys) {
  const Key = entry.key;
  test(`a key with ${entry.name} goes in, is listed, read, copied and deleted`, async () => {
    if (refused(entry)) return refusedWith(400, () => put(Key), ...refused(entry));
    const Bucket = await fresh();
    await put(Key, Key, { Bucket });
    same(await get(Key, { Bucket }), Buffer.from(Key));
    const listed = await s3.listObjectsV2({ Bucket, EncodingType: "url" });
    const stored = env.store === "minio" ? Key.replace(/^\//, "") : Key;
    same(decodeURIComponent(listed.Contents[0].Key.replaceAll("+", "%20")), stored, "listed key");
    await s3.copyObject({ Bucket, Key: "copy", CopySource: `${Bucket}/${encodeURIComponent(Key)}` });
    same(await get("copy", { Bucket }), Buffer.from(Key), "copied body");
    await s3.deleteObject({ Bucket, Key });
    await refusedWith(404, () => get(Key, { Bucket }), "NoSuchKey");
  });
}

test("user metadata and content headers come back", async () => {
  const want = {
    Metadata: { color: "blue; =1,2", "with-dash": "a b" }, ContentType: "text/own; charset=utf-8", CacheControl: "max-age=60, public",
    ContentDisposition: "attachment; filename=\"a b\"; filename*=UTF-8''%C3%A9", ContentEncoding: "gzip", ContentLanguage: "de-CH",
  };
  await put("headers", "x", want);
  const got = await s3.headObject({ Bucket: B, Key: "headers" });
  for (const name of Object.keys(want)) same(got[name], want[name], name);
});

test("user metadata with letters of Latin-1 comes back", async () => {
  await put("latin", "x", { Metadata: { title: "caf\u00e9" } });
  const { title } = (await s3.headObject({ Bucket: B, Key: "latin" })).Metadata;
  if (!["caf\u00e9", "caf\u00c3\u00a9", "=?UTF-8?q?caf=C3=A9?=", "=?UTF-8?B?Y2Fmw6k=?="].includes(title)) throw new Error(JSON.stringify(title));
});

test("a zero-byte object is stored and read", async () => {
  await put("zero", "");
  same(await get("zero"), Buffer.alloc(0));
});

test("a stream without a hash, in aws-chunked framing, arrives whole and without the framing", async () => {
  const whole = body(3 * MiB);
  await put("stream", Readable.from([whole.subarray(0, 1000), whole.subarray(1000)]), { ContentLength: whole.length });
  same(await get("stream"), whole);
  same((await s3.headObject({ Bucket: B, Key: "stream" })).ContentEncoding, undefined, "Content-Encoding");
});

for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
  test(`the checksum ${ChecksumAlgorithm} is kept and comes back`, async () => {
    const stored = await put("sum", body(100_000), { ChecksumAlgorithm });
    const name = `Checksum${ChecksumAlgorithm}`;
    const got = await s3.getObject({ Bucket: B, Key: "sum", ChecksumMode: "ENABLED" });
    if (!stored[name]) throw new Error("no checksum in the answer");
    same(got[name], stored[name]);
    same(Buffer.from(await got.Body.transformToByteArray()), body(100_000));
  });
}

test("a declared checksum that does not fit is refused and nothing is stored", async () => {
  await refusedWith(400, () => put("bad", "hello", { ChecksumCRC32: "AAAAAA==" }), "BadDigest", "XAmzContentChecksumMismatch", "InvalidArgument");
  await refusedWith(404, () => get("bad"), "NoSuchKey");
});

test("a multipart upload of three parts with CRC64NVME of the whole completes", async () => {
  const Key = "multi part/\u00e9+%.bin", whole = body(11 * MiB);
  const { UploadId } = await s3.createMultipartUpload({
    Bucket: B, Key, ChecksumAlgorithm: "CRC64NVME", ChecksumType: "FULL_OBJECT", Metadata: { kind: "parts" } });
  const Parts = [];
  for (let PartNumber = 1; PartNumber <= 3; PartNumber++) {
    const Body = whole.subarray((PartNumber - 1) * 5 * MiB, PartNumber * 5 * MiB);
    const { ETag, ChecksumCRC64NVME } = await s3.uploadPart({ Bucket: B, Key, UploadId, PartNumber, Body, ChecksumAlgorithm: "CRC64NVME" });
    Parts.push({ PartNumber, ETag, ChecksumCRC64NVME });
  }
  same((await s3.listParts({ Bucket: B, Key, UploadId })).Parts.map((p) => p.Size), [5 * MiB, 5 * MiB, MiB], "parts");
  const done = await s3.completeMultipartUpload({ Bucket: B, Key, UploadId, MultipartUpload: { Parts }, ChecksumType: "FULL_OBJECT" });
  same([done.Bucket, done.Key], [B, Key], "names");
  if (!done.ChecksumCRC64NVME) throw new Error("no checksum in the answer");
  same(await get(Key, { ChecksumMode: "ENABLED" }), whole);
  same((await s3.headObject({ Bucket: B, Key })).Metadata, { kind: "parts" });
});

test("lib-storage uploads a stream of unknown length of 24 MB", async () => {
  const whole = body(24_000_000);
  const chunks = function* () { for (let at = 0; at < whole.length; at += 100_001) yield whole.subarray(at, at + 100_001); };
  await new Upload({ client: s3, params: { Bucket: B, Key: "managed", Body: Readable.from(chunks()) } }).done();
  same(await get("managed"), whole);
});

test("a multipart copy takes ranges of its source", async () => {
  const whole = body(11 * MiB, "copy"), Key = "range copy";
  await put("range src", whole);
  const { UploadId } = await s3.createMultipartUpload({ Bucket: B, Key });
  const Parts = [];
  for (const [i, CopySourceRange] of ["bytes=0-5242879", "bytes=5242880-10485759", `bytes=10485760-${11 * MiB - 1}`].entries()) {
    const got = await s3.uploadPartCopy({ Bucket: B, Key, UploadId, PartNumber: i + 1, CopySource: `${B}/range%20src`, CopySourceRange });
    Parts.push({ PartNumber: i + 1, ETag: got.CopyPartResult.ETag });
  }
  await s3.completeMultipartUpload({ Bucket: B, Key, UploadId, MultipartUpload: { Parts } });
  same(await get(Key), whole);
});

test("a batch delete takes odd keys", async () => {
  const Bucket = await fresh();
  const odd = keys.filter((e) => !refused(e) && !/control|leading/.test(e.name)).map((e) => e.key);
  for (const Key of odd) await put(Key, "", { Bucket });
  const gone = await s3.deleteObjects({ Bucket, Delete: { Objects: odd.map((Key) => ({ Key })) } });
  same(gone.Errors ?? [], [], "errors");
  same(gone.Deleted.map((d) => d.Key).sort(), [...odd].sort(), "deleted");
  same((await s3.listObjectsV2({ Bucket })).KeyCount, 0);
});

test("versions are listed, read and deleted one by one", async () => {
  const Bucket = await fresh(true), Key = "v key";
  const first = (await put(Key, "one", { Bucket })).VersionId, second = (await put(Key, "two", { Bucket })).VersionId;
  same((await s3.listObjectVersions({ Bucket })).Versions.map((v) => v.VersionId), [second, first]);
  same(await get(Key, { Bucket, VersionId: first }), Buffer.from("one"));
  const marker = await s3.deleteObject({ Bucket, Key });
  same(marker.DeleteMarker, true);
  await refusedWith(404, () => get(Key, { Bucket }), "NoSuchKey");
  await s3.deleteObject({ Bucket, Key, VersionId: marker.VersionId });
  await s3.deleteObject({ Bucket, Key, VersionId: second });
  same(await get(Key, { Bucket }), Buffer.from("one"));
});

test("presigned GET and PUT of an odd key work with fetch", async () => {
  const Key = "pre signed/+%&=\u00e9'(1)*.txt";
  const up = await getSignedUrl(s3, new S3.PutObjectCommand({ Bucket: B, Key, ContentType: "text/own" }), { signableHeaders: new Set(["content-type"]) });
  const sent = await fetch(up, { method: "PUT", body: "by link", headers: { "Content-Type": "text/own" } });
  same(sent.status, 200, `${new URL(up).search} ${await sent.text()}`);
  const down = await getSignedUrl(s3, new S3.GetObjectCommand({ Bucket: B, Key, ResponseContentDisposition: "attachment; filename=\"a;b.txt\"" }));
  const got = await fetch(down, { headers: { Range: "bytes=3-" } });
  same([got.status, await got.text(), got.headers.get("content-disposition")], [206, "link", "attachment; filename=\"a;b.txt\""]);
});

test("a presigned POST form stores the file of a browser's FormData", async () => {
  const { url, fields } = await createPresignedPost(s3, {
    Bucket: B, Key: "form/${filename}", Conditions: [["content-length-range", 1, 100]], Fields: { "x-amz-meta-from": "form" } });
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", new Blob(["form bytes"]), "my file.txt");
  const got = await fetch(url, { method: "POST", body: form });
  same(got.ok, true, `${got.status} ${(await got.text()).slice(0, 200)}`);
  same(await get("form/my file.txt"), Buffer.from("form bytes"));
});

test("ranges are read, and refused beyond the end", async () => {
  await put("ranges", "0123456789");
  for (const [Range, want] of Object.entries({ "bytes=0-0": "0", "bytes=3-5": "345", "bytes=7-": "789", "bytes=-2": "89" })) {
    same(await get("ranges", { Range }), Buffer.from(want), Range);
  }
  await refusedWith(416, () => get("ranges", { Range: "bytes=10-" }), "InvalidRange");
});

test("conditional reads answer 304 and 412, conditional writes 412", async () => {
  const { ETag } = await put("cond");
  await refusedWith(304, () => get("cond", { IfNoneMatch: ETag }));
  await refusedWith(412, () => get("cond", { IfMatch: '"no"' }), "PreconditionFailed");
  await refusedWith(412, () => put("cond", "x", { IfNoneMatch: "*" }), "PreconditionFailed");
  await refusedWith(412, () => put("cond", "x", { IfMatch: '"no"' }), "PreconditionFailed");
  await put("cond", "swapped", { IfMatch: ETag });
  same(await get("cond"), Buffer.from("swapped"));
});

test("If-None-Match: * also guards a multipart upload", async () => {
  await put("guarded", "first");
  const { UploadId } = await s3.createMultipartUpload({ Bucket: B, Key: "guarded" });
  const { ETag } = await s3.uploadPart({ Bucket: B, Key: "guarded", UploadId, PartNumber: 1, Body: "second" });
  await refusedWith(412, () => s3.completeMultipartUpload({
    Bucket: B, Key: "guarded", UploadId, IfNoneMatch: "*", MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }), "PreconditionFailed");
  same(await get("guarded"), Buffer.from("first"));
});

test("tags are set with the object, read, replaced and removed", async () => {
  await put("tagged", "x", { Tagging: "a=1&b=x%20y%2B" });
  const tags = async () => Object.fromEntries((await s3.getObjectTagging({ Bucket: B, Key: "tagged" })).TagSet.map((t) => [t.Key, t.Value]));
  same(await tags(), { a: "1", b: "x y+" });
  await s3.putObjectTagging({ Bucket: B, Key: "tagged", Tagging: { TagSet: [{ Key: "k", Value: "v/+-=._:@" }] } });
  same(await tags(), { k: "v/+-=._:@" });
  await s3.deleteObjectTagging({ Bucket: B, Key: "tagged" });
  same(await tags(), {});
});

test("listings page by prefix and delimiter, version 1 and 2", async () => {
  const Bucket = await fresh();
  for (const Key of ["a/1", "a/2", "b c/1", "top 1", "top&2"]) await put(Key, "x", { Bucket });
  const all = [];
  for await (const page of S3.paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket })) all.push(...page.Contents.map((o) => o.Key));
  same(all, ["a/1", "a/2", "b c/1", "top 1", "top&2"]);
  const one = await s3.listObjects({ Bucket, Delimiter: "/" });
  same([one.CommonPrefixes.map((p) => p.Prefix), one.Contents.map((o) => o.Key)], [["a/", "b c/"], ["top 1", "top&2"]]);
  same([one.Name, one.MaxKeys, one.IsTruncated], [Bucket, 1000, false]);
});

test("a refusal carries its code", async () => {
  await refusedWith(404, () => get("missing"), "NoSuchKey");
  await refusedWith(404, () => s3.listObjectsV2({ Bucket: "missing-" + B }), "NoSuchBucket");
  const wrong = new S3.S3({ ...env, forcePathStyle: true, credentials: { ...env.credentials, secretAccessKey: "wrong" } });
  await refusedWith(403, () => wrong.listObjectsV2({ Bucket: B }), "SignatureDoesNotMatch");
});

await runCases();
