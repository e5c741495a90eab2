"""boto3, as Debian ships it."""

import base64
import hashlib
import io
import zlib

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from harness import (ACCESS_KEY, ENDPOINT, KEYS, MIB, REGION, ROUTE, SECRET_KEY, STORE, Cases, body, bucket_name, fetch,
                     refused, same)

case = Cases()


def client(**config):
    return boto3.client(
        "s3", endpoint_url=ENDPOINT, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
        region_name=REGION, config=Config(signature_version="s3v4", retries={"max_attempts": 1},
                                          s3={"addressing_style": "path"}, **config))


s3 = client()
B = bucket_name("boto3")
s3.create_bucket(Bucket=B)


def put(key, data=b"hello", bucket=B, **more):
    return s3.put_object(Bucket=bucket, Key=key, Body=data, **more)


def get(key, bucket=B, **more):
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def code(status, function, *codes):
    """The call is refused with this HTTP status and one of the codes."""
    try:
        function()
    except ClientError as error:
        same(error.response["ResponseMetadata"]["HTTPStatusCode"], status, "status")
        if codes and error.response["Error"]["Code"] not in codes:
            raise AssertionError(f"code {error.response['Error']['Code']}, want {codes}") from error
        return
    raise AssertionError(f"was taken, want {status} {codes}")


def fresh(versioned=False):
    name = bucket_name("boto3")
    s3.create_bucket(Bucket=name)
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def with_headers(operation, headers, function):
    """Add headers that this boto3 has no argument for."""
    def add(params, **_):
        params["headers"].update(headers)
    s3.meta.events.register(f"before-call.s3.{operation}", add, unique_id="extra")
    try:
        return function()
    finally:
        s3.meta.events.unregister(f"before-call.s3.{operation}", add, unique_id="extra")


def key_case(entry):
    key = entry["key"]

    @case(f"a key with {entry['name']} goes in, is listed, read, copied and deleted")
    def _():
        if refused(entry):
            code(400, lambda: put(key), *refused(entry))
            return
        bucket = fresh()
        put(key, key.encode(), bucket)
        same(get(key, bucket), key.encode(), "body")
        same(s3.head_object(Bucket=bucket, Key=key)["ContentLength"], len(key.encode()), "length")
        listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
        same([o["Key"] for o in listed], [key.lstrip("/")] if STORE == "minio" else [key], "listed keys")
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
        same(get("copy", bucket), key.encode(), "copied body")
        s3.delete_object(Bucket=bucket, Key=key)
        code(404, lambda: get(key, bucket), "NoSuchKey")


for each in KEYS:
    key_case(each)


@case("NFC and NFD spellings are two objects")
def _():
    bucket = fresh()
    put("caf\u00e9", b"composed", bucket)
    put("cafe\u0301", b"decomposed", bucket)
    same((get("caf\u00e9", bucket), get("cafe\u0301", bucket)), (b"composed", b"decomposed"))


@case("user metadata comes back, with spaces and punctuation as sent")
def _():
    meta = {"color": "blue; =1,2", "with-dash": "a  b", "empty": ""}
    put("meta", Metadata=meta)
    got = s3.head_object(Bucket=B, Key="meta")["Metadata"]
    same({k: got.get(k, "") for k in meta}, meta)


@case("user metadata as an encoded word (RFC 2047) comes back as sent")
def _():
    word = "=?UTF-8?B?" + base64.b64encode("h\u00e9llo \u4e16".encode()).decode() + "?="
    put("meta-word", Metadata={"title": word})
    same(s3.head_object(Bucket=B, Key="meta-word")["Metadata"]["title"], word)


@case("content headers come back")
def _():
    want = dict(ContentType="text/x-own; charset=utf-8", CacheControl="max-age=60, public",
                ContentDisposition="attachment; filename=\"a b.txt\"; filename*=UTF-8''%C3%A9.txt",
                ContentEncoding="gzip", ContentLanguage="de-CH")
    put("headers", **want)
    got = s3.head_object(Bucket=B, Key="headers")
    same({k: got.get(k) for k in want}, want)


@case("response-* parameters override content headers")
def _():
    put("override")
    got = s3.get_object(Bucket=B, Key="override", ResponseContentType="text/own", ResponseCacheControl="no-store",
                        ResponseContentDisposition="attachment; filename=\"x;y.txt\"")
    same((got["ContentType"], got["CacheControl"], got["ContentDisposition"]),
         ("text/own", "no-store", "attachment; filename=\"x;y.txt\""))


@case("a zero-byte object is stored and read")
def _():
    put("zero", b"")
    same(get("zero"), b"")
    same(s3.head_object(Bucket=B, Key="zero")["ETag"], f'"{hashlib.md5(b"").hexdigest()}"')


@case("a multipart upload of three parts becomes one object")
def _():
    key = "multi part/\u00e9+%.bin"
    upload = s3.create_multipart_upload(Bucket=B, Key=key, Metadata={"kind": "parts"}, ContentType="video/own")["UploadId"]
    parts, whole = [], body(11 * MIB)
    for number, start in enumerate(range(0, len(whole), 5 * MIB), 1):
        part = s3.upload_part(Bucket=B, Key=key, UploadId=upload, PartNumber=number, Body=whole[start:start + 5 * MIB])
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    same([p["PartNumber"] for p in s3.list_parts(Bucket=B, Key=key, UploadId=upload)["Parts"]], [1, 2, 3], "listed parts")
    done = s3.complete_multipart_upload(Bucket=B, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    same((done["Bucket"], done["Key"]), (B, key), "answer names")
    got = s3.get_object(Bucket=B, Key=key)
    same((got["Metadata"], got["ContentType"]), ({"kind": "parts"}, "video/own"))
    same(got["Body"].read(), whole)
    if not got["ETag"].endswith('-3"'):
        raise AssertionError(f"ETag {got['ETag']}")
    same(s3.head_object(Bucket=B, Key=key, PartNumber=3)["ContentLength"], MIB, "length of part 3")


@case("upload_file and download_file take 24 MB in parallel parts")
def _():
    whole = body(24_000_000)
    s3.upload_fileobj(io.BytesIO(whole), B, "managed")
    into = io.BytesIO()
    s3.download_fileobj(B, "managed", into)
    same(into.getvalue(), whole)


@case("an aborted multipart upload is gone and leaves no object")
def _():
    upload = s3.create_multipart_upload(Bucket=B, Key="aborted/x")["UploadId"]
    s3.upload_part(Bucket=B, Key="aborted/x", UploadId=upload, PartNumber=1, Body=b"part")
    listed = s3.list_multipart_uploads(Bucket=B, Prefix="aborted/x").get("Uploads", [])
    same([(u["Key"], u["UploadId"]) for u in listed], [("aborted/x", upload)], "unfinished uploads")
    s3.abort_multipart_upload(Bucket=B, Key="aborted/x", UploadId=upload)
    code(404, lambda: s3.list_parts(Bucket=B, Key="aborted/x", UploadId=upload), "NoSuchUpload")
    code(404, lambda: get("aborted/x"), "NoSuchKey")


@case("completing with a wrong ETag is refused with InvalidPart")
def _():
    upload = s3.create_multipart_upload(Bucket=B, Key="wrong-etag")["UploadId"]
    s3.upload_part(Bucket=B, Key="wrong-etag", UploadId=upload, PartNumber=1, Body=b"part")
    code(400, lambda: s3.complete_multipart_upload(
        Bucket=B, Key="wrong-etag", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"' + "0" * 32 + '"'}]}), "InvalidPart")


@case("a copy keeps or replaces metadata as asked")
def _():
    put("src file+1", Metadata={"a": "1"}, ContentType="text/own")
    source = {"Bucket": B, "Key": "src file+1"}
    s3.copy_object(Bucket=B, Key="kept", CopySource=source)
    s3.copy_object(Bucket=B, Key="replaced", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"},
                   ContentType="text/new")
    kept, new = s3.head_object(Bucket=B, Key="kept"), s3.head_object(Bucket=B, Key="replaced")
    same((kept["Metadata"], kept["ContentType"]), ({"a": "1"}, "text/own"))
    same((new["Metadata"], new["ContentType"]), ({"b": "2"}, "text/new"))


@case("a copy under a failing source condition is refused with 412")
def _():
    put("cond-src")
    code(412, lambda: s3.copy_object(Bucket=B, Key="never", CopySource={"Bucket": B, "Key": "cond-src"},
                                     CopySourceIfMatch='"nope"'), "PreconditionFailed")
    code(404, lambda: get("never"), "NoSuchKey")


@case("a multipart copy takes ranges of its source")
def _():
    whole = body(11 * MIB, 3)
    put("range src", whole)
    upload = s3.create_multipart_upload(Bucket=B, Key="range copy")["UploadId"]
    parts = []
    for number, (first, last) in enumerate([(0, 5 * MIB - 1), (5 * MIB, 10 * MIB - 1), (10 * MIB, 11 * MIB - 1)], 1):
        part = s3.upload_part_copy(Bucket=B, Key="range copy", UploadId=upload, PartNumber=number,
                                   CopySource={"Bucket": B, "Key": "range src"}, CopySourceRange=f"bytes={first}-{last}")
        parts.append({"PartNumber": number, "ETag": part["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(Bucket=B, Key="range copy", UploadId=upload, MultipartUpload={"Parts": parts})
    same(get("range copy"), whole)


@case("a batch delete takes odd keys and answers for each")
def _():
    bucket = fresh()
    keys = [e["key"] for e in KEYS if not refused(e) and "control" not in e["name"] and "leading" not in e["name"]]
    for key in keys:
        put(key, b"", bucket)
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys + ["never existed"]]})
    same(gone.get("Errors", []), [], "errors")
    same(sorted(d["Key"] for d in gone["Deleted"]), sorted(keys + ["never existed"]), "deleted")
    same(s3.list_objects_v2(Bucket=bucket)["KeyCount"], 0, "left objects")


@case("a quiet batch delete of 1,000 keys answers nothing")
def _():
    gone = s3.delete_objects(Bucket=B, Delete={"Quiet": True, "Objects": [{"Key": f"q/{i}"} for i in range(1000)]})
    same((gone.get("Deleted"), gone.get("Errors")), (None, None))


@case("versions are listed, read, copied and deleted one by one")
def _():
    bucket, key = fresh(versioned=True), "v key+\u00e9"
    first = put(key, b"one", bucket)["VersionId"]
    second = put(key, b"two", bucket)["VersionId"]
    same(s3.get_bucket_versioning(Bucket=bucket)["Status"], "Enabled")
    same([v["VersionId"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]], [second, first], "versions")
    same((get(key, bucket), get(key, bucket, VersionId=first)), (b"two", b"one"))
    s3.copy_object(Bucket=bucket, Key="old", CopySource={"Bucket": bucket, "Key": key, "VersionId": first})
    same(get("old", bucket), b"one")
    marker = s3.delete_object(Bucket=bucket, Key=key)
    same(marker["DeleteMarker"], True)
    code(404, lambda: get(key, bucket), "NoSuchKey")
    s3.delete_object(Bucket=bucket, Key=key, VersionId=marker["VersionId"])
    same(get(key, bucket), b"two")
    s3.delete_object(Bucket=bucket, Key=key, VersionId=second)
    same(get(key, bucket), b"one")


@case("a batch delete takes versions")
def _():
    bucket = fresh(versioned=True)
    ids = [put("k", b"x", bucket)["VersionId"] for _ in range(3)]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": i} for i in ids[:2]]})
    same([v["VersionId"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]], ids[2:])


@case("a presigned GET serves odd keys, ranges and response overrides")
def _():
    key = "pre signed/+%&=\u00e9.txt"
    put(key, b"0123456789")
    url = s3.generate_presigned_url("get_object", Params={
        "Bucket": B, "Key": key, "ResponseContentType": "text/own; charset=utf-8",
        "ResponseContentDisposition": "attachment; filename=\"a b;c.txt\""})
    same(fetch(url), (200, b"0123456789"))
    same(fetch(url, headers={"Range": "bytes=2-4"}), (206, b"234"))
    same(fetch(url + "x")[0], 403, "status of a changed signature")


@case("a presigned PUT stores what is sent")
def _():
    url = s3.generate_presigned_url("put_object", Params={"Bucket": B, "Key": "pre put+ \u00e9", "ContentType": "text/own"})
    same(fetch(url, "PUT", b"by link", {"Content-Type": "text/own"})[0], 200, "status")
    same(get("pre put+ \u00e9"), b"by link")
    same(fetch(url, "PUT", b"other", {"Content-Type": "text/other"})[0], 403, "status of another type")


@case("a presigned POST form stores the file")
def _():
    form = s3.generate_presigned_post(B, "form/${filename}", Conditions=[["starts-with", "$key", "form/"],
                                                                        ["content-length-range", 1, 100]])
    edge, parts = "edge7d1", b""
    for name, value in form["fields"].items():
        parts += f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    parts += (f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="my file.txt"\r\n'
              f'Content-Type: text/plain\r\n\r\nform bytes\r\n--{edge}--\r\n').encode()
    status, answer = fetch(form["url"], "POST", parts, {"Content-Type": f"multipart/form-data; boundary={edge}"})
    if status not in (200, 201, 204):
        raise AssertionError(f"{status} {answer[:300]}")
    same(get("form/my file.txt"), b"form bytes")


def as_it_comes():
    """A client with nothing set: in us-east-1 it makes links of signature version 2."""
    return boto3.client("s3", endpoint_url=ENDPOINT, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
                        region_name="us-east-1", config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}))


def default_link(operation, **params):
    url = as_it_comes().generate_presigned_url(operation, Params={"Bucket": B, **params})
    if "AWSAccessKeyId=" not in url:
        raise AssertionError(f"not of signature version 2: {url}")
    return url


@case("links as boto3 makes them by default get, head, put and delete")
def _():
    key = "by default/+%&=\u00e9.txt"
    put(key, b"0123456789")
    url = default_link("get_object", Key=key, ResponseContentType="text/own", ResponseContentDisposition="attachment; filename=\"a b;c.txt\"")
    same(fetch(url), (200, b"0123456789"))
    same(fetch(url, headers={"Range": "bytes=2-4"}), (206, b"234"))
    same(fetch(url.replace("Signature=", "Signature=x"))[0], 403, "status of a changed signature")
    same(fetch(default_link("head_object", Key=key), "HEAD"), (200, b""))
    same(fetch(default_link("delete_object", Key=key), "DELETE")[0], 204, "status of a DELETE")
    code(404, lambda: s3.head_object(Bucket=B, Key=key))
    same(fetch(default_link("put_object", Key="put by default"), "PUT", b"plain", {"Content-Type": ""})[0], 200, "status of a plain PUT")
    if STORE == "minio" and ROUTE == "direct":
        return  # MinIO does not take the headers that boto3 puts into the query
    url = default_link("put_object", Key="put by default", ContentType="text/own", Metadata={"colour": "light blue"})
    same(fetch(url, "PUT", b"by link", {"Content-Type": "text/own"})[0], 200, "status of a PUT")
    stored = s3.get_object(Bucket=B, Key="put by default")
    same((stored["Body"].read(), stored["ContentType"]), (b"by link", "text/own"))
    same(fetch(url, "PUT", b"other", {"Content-Type": "text/other"})[0] in (400, 403), True, "another type is refused")


@case("a form as boto3 makes it by default stores the file")
def _():
    form = as_it_comes().generate_presigned_post(B, "form by default", Conditions=[["content-length-range", 1, 100]])
    same("AWSAccessKeyId" in form["fields"], True, "of signature version 2")
    edge, parts = "edge7d1", b""
    for name, value in form["fields"].items():
        parts += f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    parts += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nform bytes\r\n--{edge}--\r\n'.encode()
    same(fetch(form["url"], "POST", parts, {"Content-Type": f"multipart/form-data; boundary={edge}"})[0], 204, "status")
    same(get("form by default"), b"form bytes")


@case("ranges are read: first, middle, open, last, and beyond the end")
def _():
    put("ranges", b"0123456789")
    for wanted, got in {"bytes=0-0": b"0", "bytes=3-5": b"345", "bytes=7-": b"789", "bytes=-2": b"89",
                        "bytes=5-100": b"56789"}.items():
        answer = s3.get_object(Bucket=B, Key="ranges", Range=wanted)
        same((answer["ResponseMetadata"]["HTTPStatusCode"], answer["Body"].read()), (206, got), wanted)
    code(416, lambda: get("ranges", Range="bytes=10-"), "InvalidRange")


@case("conditional reads answer 304 and 412")
def _():
    etag = put("cond")["ETag"]
    modified = s3.head_object(Bucket=B, Key="cond")["LastModified"]
    same(get("cond", IfMatch=etag), b"hello")
    same(get("cond", IfNoneMatch='"other"'), b"hello")
    code(304, lambda: get("cond", IfNoneMatch=etag))
    code(304, lambda: s3.head_object(Bucket=B, Key="cond", IfNoneMatch=etag))
    code(304, lambda: get("cond", IfModifiedSince=modified))
    code(412, lambda: get("cond", IfMatch='"other"'), "PreconditionFailed")
    code(412, lambda: s3.head_object(Bucket=B, Key="cond", IfMatch='"other"'))


@case("If-None-Match: * writes only a new key")
def _():
    once = {"If-None-Match": "*"}
    with_headers("PutObject", once, lambda: put("once", b"first"))
    code(412, lambda: with_headers("PutObject", once, lambda: put("once", b"second")), "PreconditionFailed")
    same(get("once"), b"first")


@case("If-Match writes only over the named ETag")
def _():
    etag = put("swap", b"first")["ETag"]
    code(412, lambda: with_headers("PutObject", {"If-Match": '"0"'}, lambda: put("swap", b"bad")), "PreconditionFailed")
    with_headers("PutObject", {"If-Match": etag}, lambda: put("swap", b"second"))
    same(get("swap"), b"second")


@case("tags are set with the object, read, replaced and removed")
def _():
    put("tagged", Tagging="a=1&b=x%20y%2B")
    def tags():
        return {t["Key"]: t["Value"] for t in s3.get_object_tagging(Bucket=B, Key="tagged")["TagSet"]}
    same(tags(), {"a": "1", "b": "x y+"})
    s3.put_object_tagging(Bucket=B, Key="tagged", Tagging={"TagSet": [{"Key": "k k+", "Value": "v/+-=._:@"}]})
    same(tags(), {"k k+": "v/+-=._:@"})
    same(s3.get_object(Bucket=B, Key="tagged")["ResponseMetadata"]["HTTPHeaders"].get("x-amz-tagging-count"), "1")
    s3.delete_object_tagging(Bucket=B, Key="tagged")
    same(tags(), {})


def listing_bucket():
    bucket = fresh()
    for key in ["a/1", "a/2", "b c/1", "b+d/1", "\u00e9/1", "top 1", "top&2"]:
        put(key, b"x", bucket)
    return bucket, ["a/1", "a/2", "b c/1", "b+d/1", "top 1", "top&2", "\u00e9/1"]


@case("listing version 1 pages with markers, prefix and delimiter")
def _():
    bucket, keys = listing_bucket()
    pages = s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    same([o["Key"] for p in pages for o in p.get("Contents", [])], keys)
    got = s3.list_objects(Bucket=bucket, Delimiter="/")
    same([p["Prefix"] for p in got["CommonPrefixes"]], ["a/", "b c/", "b+d/", "\u00e9/"])
    same([o["Key"] for o in got["Contents"]], ["top 1", "top&2"])
    same([o["Key"] for o in s3.list_objects(Bucket=bucket, Prefix="b+d/")["Contents"]], ["b+d/1"])


@case("listing version 2 pages with tokens, start-after and fetch-owner")
def _():
    bucket, keys = listing_bucket()
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3}, FetchOwner=True))
    same([o["Key"] for p in pages for o in p.get("Contents", [])], keys)
    same(len(pages), 3, "pages")
    if "Owner" not in pages[0]["Contents"][0]:
        raise AssertionError("no Owner with fetch-owner")
    same([o["Key"] for o in s3.list_objects_v2(Bucket=bucket, StartAfter="top 1")["Contents"]], keys[5:])


@case("common prefixes count as entries of a page")
def _():
    bucket, _ = listing_bucket()
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}))
    same([[c["Prefix"] for c in p.get("CommonPrefixes", [])] + [o["Key"] for o in p.get("Contents", [])] for p in pages],
         [["a/"], ["b c/"], ["b+d/"], ["top 1"], ["top&2"], ["\u00e9/"]])


@case("encoding-type=url encodes the names in a listing")
def _():
    bucket, _ = listing_bucket()
    got = s3.list_objects_v2(Bucket=bucket, EncodingType="url", Prefix="b", Delimiter="/")
    same(got["EncodingType"], "url")
    encoded = [p["Prefix"] for p in got["CommonPrefixes"]]
    if encoded not in (["b+c/", "b%2Bd/"], ["b%20c/", "b%2Bd/"]):
        raise AssertionError(f"prefixes {encoded}")


@case("checksums CRC32, CRC32C, SHA1 and SHA256 are kept and come back")
def _():
    data = body(100_000)
    for algorithm in ["CRC32", "CRC32C", "SHA1", "SHA256"]:
        stored = put(f"sum-{algorithm}", data, ChecksumAlgorithm=algorithm)
        got = s3.get_object(Bucket=B, Key=f"sum-{algorithm}", ChecksumMode="ENABLED")
        same(got[f"Checksum{algorithm}"], stored[f"Checksum{algorithm}"], algorithm)
        same(got["Body"].read(), data)
    same(s3.head_object(Bucket=B, Key="sum-SHA256", ChecksumMode="ENABLED")["ChecksumSHA256"],
         base64.b64encode(hashlib.sha256(data).digest()).decode())


@case("a declared checksum that does not fit is refused and nothing is stored")
def _():
    wrong = base64.b64encode(zlib.crc32(b"other").to_bytes(4, "big")).decode()
    code(400, lambda: put("bad-sum", ChecksumCRC32=wrong), "BadDigest", "XAmzContentChecksumMismatch", "InvalidDigest")
    code(400, lambda: put("bad-sum", ContentMD5=base64.b64encode(hashlib.md5(b"other").digest()).decode()), "BadDigest")
    code(404, lambda: get("bad-sum"), "NoSuchKey")


@case("a multipart upload with SHA256 part checksums completes")
def _():
    upload = s3.create_multipart_upload(Bucket=B, Key="sum-parts", ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number in (1, 2, 3):
        p = s3.upload_part(Bucket=B, Key="sum-parts", UploadId=upload, PartNumber=number, Body=body(5 * MIB, number),
                           ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": p["ETag"], "ChecksumSHA256": p["ChecksumSHA256"]})
    done = s3.complete_multipart_upload(Bucket=B, Key="sum-parts", UploadId=upload, MultipartUpload={"Parts": parts})
    if not done["ChecksumSHA256"].endswith("-3"):
        raise AssertionError(done["ChecksumSHA256"])


@case("object attributes name size, ETag and parts")
def _():
    put("attributes", b"12345", ChecksumAlgorithm="SHA256")
    got = s3.get_object_attributes(Bucket=B, Key="attributes", ObjectAttributes=["ETag", "ObjectSize", "Checksum"])
    same(got["ObjectSize"], 5)


@case("a refused request says why: missing key, missing bucket, wrong secret")
def _():
    code(404, lambda: get("missing"), "NoSuchKey")
    code(404, lambda: s3.list_objects_v2(Bucket="no-such-" + B), "NoSuchBucket")
    wrong = boto3.client("s3", endpoint_url=ENDPOINT, aws_access_key_id=ACCESS_KEY, aws_secret_access_key="wrong",
                         region_name=REGION)
    code(403, lambda: wrong.list_objects_v2(Bucket=B), "SignatureDoesNotMatch")


@case("a body is sent only after 100 Continue and a stream of 8 MiB arrives whole")
def _():
    whole = body(8 * MIB, 9)
    put("stream", io.BytesIO(whole))
    same(hashlib.sha256(get("stream")).hexdigest(), hashlib.sha256(whole).hexdigest())


@case("buckets are made, listed, located and deleted; a full one stays")
def _():
    bucket = fresh()
    if bucket not in [b["Name"] for b in s3.list_buckets()["Buckets"]]:
        raise AssertionError("not listed")
    s3.head_bucket(Bucket=bucket)
    s3.get_bucket_location(Bucket=bucket)
    put("k", b"x", bucket)
    code(409, lambda: s3.delete_bucket(Bucket=bucket), "BucketNotEmpty")
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    code(404, lambda: s3.head_bucket(Bucket=bucket))


case.run()
