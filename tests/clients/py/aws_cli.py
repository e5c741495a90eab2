"""AWS CLI 2, as Debian ships it: the s3 commands and the s3api ones."""

import json
import os

from harness import (ACCESS_KEY, ENDPOINT, KEYS, MIB, REGION, SECRET_KEY, Cases, Folder, body, bucket_name, command, fetch,
                     must_fail, refused, same)

case = Cases()
folder = Folder()
B = bucket_name("awscli")
SETTINGS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1",
}


def aws(*args, **more):
    return command("/usr/bin/aws", "--endpoint-url", ENDPOINT, *args, env=SETTINGS, **more)


def s3(*args, **more):
    return aws("s3", *args, **more)


def api(operation, *args, bucket=B):
    out = aws("s3api", operation, "--bucket", bucket, *args, "--output", "json")
    return json.loads(out) if out.strip() else {}


def put(key, data=b"hello", *args, bucket=B):
    return api("put-object", "--key", key, "--body", folder.file("in", data), *args, bucket=bucket)


def get(key, *args, bucket=B):
    into = folder.path / "out"
    api("get-object", "--key", key, *args, into, bucket=bucket)
    return into.read_bytes()


s3("mb", f"s3://{B}")


@case("s3 cp takes odd keys up, s3 ls shows them, s3 cp brings them back and s3 rm removes them")
def _():
    keys = [e["key"] for e in KEYS if not refused(e) and e["name"] not in (
        "a tab and a newline", "a control character", "a leading slash", "a space at both ends") and len(e["key"].encode()) <= 1000]
    source = folder.file("odd", b"odd bytes")
    for key in keys:
        s3("cp", "--only-show-errors", source, f"s3://{B}/odd/{key}")
    same(get("odd/" + keys[1]), b"odd bytes")
    listed = s3("ls", "--recursive", f"s3://{B}/odd/").decode()
    for key in keys:
        if key not in listed:
            raise AssertionError(f"{key!r} is not listed")
        same(s3("cp", "--only-show-errors", f"s3://{B}/odd/{key}", "-"), b"odd bytes", key)
    s3("rm", "--only-show-errors", "--recursive", f"s3://{B}/odd/")
    same(s3("ls", "--recursive", f"s3://{B}/odd/", check=False), b"", "left")


@case("a key of 1,024 bytes goes in and comes back")
def _():
    key = next(e["key"] for e in KEYS if e["name"] == "1,024 bytes in segments")
    put(key, b"long")
    same(get(key), b"long")


@case("a key with an empty or dot-dot segment is held, or refused by name")
def _():
    for entry in KEYS:
        if refused(entry):
            must_fail(lambda: put(entry["key"]), *refused(entry))


@case("s3 cp takes 24 MB in parts and brings them back")
def _():
    whole = body(24_000_000)
    s3("cp", "--only-show-errors", folder.file("big", whole), f"s3://{B}/big file+1.bin")
    same(api("head-object", "--key", "big file+1.bin")["ETag"].rsplit("-", 1)[-1], '3"')
    s3("cp", "--only-show-errors", f"s3://{B}/big file+1.bin", folder.path / "big.back")
    same((folder.path / "big.back").read_bytes(), whole)
    s3("cp", "--only-show-errors", f"s3://{B}/big file+1.bin", f"s3://{B}/copied in parts")
    same(api("head-object", "--key", "copied in parts")["ContentLength"], len(whole))


@case("s3 cp takes a stream of unknown length from standard input")
def _():
    whole = body(9 * MIB, 4)
    s3("cp", "--only-show-errors", "-", f"s3://{B}/stream", stdin=whole)
    same(s3("cp", "--only-show-errors", f"s3://{B}/stream", "-"), whole)


@case("s3 sync takes a folder up and back, and a second sync has nothing to do")
def _():
    for name, data in {"tree/a.txt": b"a", "tree/b c/d+e.txt": b"d", "tree/\u00e9.txt": b"", "tree/z/%20": b"z"}.items():
        path = folder.file(name, data)
        # S3 tells times in whole seconds: a file made within the second of its
        # upload looks newer than its object.
        os.utime(path, (path.stat().st_mtime - 2,) * 2)
    s3("sync", "--no-progress", folder.path / "tree", f"s3://{B}/tree")
    same(s3("sync", "--no-progress", folder.path / "tree", f"s3://{B}/tree"), b"", "second sync")
    s3("sync", "--no-progress", f"s3://{B}/tree", folder.path / "tree.back")
    same((folder.path / "tree.back/b c/d+e.txt").read_bytes(), b"d")
    same((folder.path / "tree.back/\u00e9.txt").read_bytes(), b"")
    (folder.path / "tree/a.txt").unlink()
    s3("sync", "--no-progress", "--delete", folder.path / "tree", f"s3://{B}/tree")
    must_fail(lambda: api("head-object", "--key", "tree/a.txt"), "404")


@case("s3 mv renames within the bucket and keeps metadata")
def _():
    s3("cp", "--only-show-errors", folder.file("m", b"m"), f"s3://{B}/old name", "--metadata", "color=blue")
    s3("mv", "--only-show-errors", f"s3://{B}/old name", f"s3://{B}/new+name")
    same(api("head-object", "--key", "new+name")["Metadata"], {"color": "blue"})


@case("content headers and metadata come back")
def _():
    put("headers", b"x", "--content-type", "text/own", "--cache-control", "max-age=1, public", "--content-language", "de",
        "--content-disposition", 'attachment; filename="a b"', "--content-encoding", "gzip", "--metadata", "a=1,b-c=x y")
    got = api("head-object", "--key", "headers")
    same((got["ContentType"], got["CacheControl"], got["ContentLanguage"], got["ContentDisposition"], got["ContentEncoding"],
          got["Metadata"]), ("text/own", "max-age=1, public", "de", 'attachment; filename="a b"', "gzip", {"a": "1", "b-c": "x y"}))


@case("s3 presign makes a link that serves an odd key")
def _():
    put("link me+\u00e9&=.txt", b"linked")
    same(fetch(s3("presign", f"s3://{B}/link me+\u00e9&=.txt").decode().strip()), (200, b"linked"))


@case("a range and a condition hold")
def _():
    etag = put("range", b"0123456789")["ETag"]
    same(get("range", "--range", "bytes=2-4"), b"234")
    must_fail(lambda: get("range", "--if-none-match", etag), "304", "Not Modified")
    must_fail(lambda: get("range", "--if-match", '"no"'), "PreconditionFailed", "412")


@case("a zero-byte object is stored and read")
def _():
    put("zero", b"")
    same(get("zero"), b"")


@case("checksums of four kinds are checked and come back")
def _():
    for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256"):
        stored = put("sum", b"sum bytes", "--checksum-algorithm", algorithm)
        got = api("head-object", "--key", "sum", "--checksum-mode", "ENABLED")
        same(got[f"Checksum{algorithm}"], stored[f"Checksum{algorithm}"])


@case("tags are set, read and removed")
def _():
    put("tagged", b"x", "--tagging", "a=1&b=x%20y")
    same(len(api("get-object-tagging", "--key", "tagged")["TagSet"]), 2)
    api("put-object-tagging", "--key", "tagged", "--tagging", json.dumps({"TagSet": [{"Key": "k", "Value": "v w"}]}))
    same(api("get-object-tagging", "--key", "tagged")["TagSet"], [{"Key": "k", "Value": "v w"}])
    api("delete-object-tagging", "--key", "tagged")
    same(api("get-object-tagging", "--key", "tagged")["TagSet"], [])


@case("versions are listed, read and deleted by number")
def _():
    bucket = bucket_name("awscli")
    api("create-bucket", bucket=bucket)
    api("put-bucket-versioning", "--versioning-configuration", "Status=Enabled", bucket=bucket)
    first = put("k", b"one", bucket=bucket)["VersionId"]
    second = put("k", b"two", bucket=bucket)["VersionId"]
    same([v["VersionId"] for v in api("list-object-versions", bucket=bucket)["Versions"]], [second, first])
    same(get("k", "--version-id", first, bucket=bucket), b"one")
    api("delete-object", "--key", "k", "--version-id", second, bucket=bucket)
    same(get("k", bucket=bucket), b"one")


@case("a batch delete takes odd keys")
def _():
    keys = ["del/a b", "del/a+b", "del/<&>", "del/\u00e9"]
    for key in keys:
        put(key, b"")
    document = json.dumps({"Objects": [{"Key": k} for k in keys]})
    same(sorted(d["Key"] for d in api("delete-objects", "--delete", document)["Deleted"]), sorted(keys))


@case("list-objects and list-objects-v2 page with a delimiter")
def _():
    for key in ("page/a/1", "page/b c/1", "page/z", "page/z+"):
        put(key, b"")
    for operation in ("list-objects", "list-objects-v2"):
        got = api(operation, "--prefix", "page/", "--delimiter", "/", "--page-size", "1")
        same([p["Prefix"] for p in got["CommonPrefixes"]], ["page/a/", "page/b c/"], operation)
        same([o["Key"] for o in got["Contents"]], ["page/z", "page/z+"], operation)


@case("s3 rb --force empties and removes a bucket")
def _():
    bucket = bucket_name("awscli")
    s3("mb", f"s3://{bucket}")
    put("k", b"x", bucket=bucket)
    s3("rb", "--force", f"s3://{bucket}")
    must_fail(lambda: api("head-bucket", bucket=bucket), "404")


case.run()
