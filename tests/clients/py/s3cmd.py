"""s3cmd, which signs and escapes with code of its own."""

from harness import (ACCESS_KEY, HOST, KEYS, MIB, REGION, SECRET_KEY, Cases, Folder, body, bucket_name, command, fetch,
                     must_fail, refused, same)

case = Cases()
folder = Folder()
B = bucket_name("s3cmd")
CONFIG = folder.file("s3cfg", f"""[default]
access_key = {ACCESS_KEY}
secret_key = {SECRET_KEY}
host_base = {HOST}
host_bucket = {HOST}
bucket_location = {REGION}
use_https = False
progress_meter = False
max_retries = 1
""".encode())


def s3cmd(*args, **more):
    return command("s3cmd", "-c", CONFIG, "--no-progress", *args, **more)


def put(key, data=b"hello", *args):
    s3cmd("put", "-q", *args, folder.file("in", data), f"s3://{B}/{key}")


def get(key, *args):
    return s3cmd("get", "-q", *args, f"s3://{B}/{key}", "-")


s3cmd("mb", f"s3://{B}")

UNFIT = {"a tab and a newline", "a control character", "a space at both ends", "a leading slash"}


@case("odd keys go in, are listed, read and deleted")
def _():
    entries = [e for e in KEYS if not refused(e) and e["name"] not in UNFIT]
    for e in entries:
        put("odd/" + e["key"] if len(e["key"]) < 900 else e["key"], e["key"].encode())
    listed = s3cmd("ls", "--recursive", f"s3://{B}").decode()
    for e in entries:
        key = "odd/" + e["key"] if len(e["key"]) < 900 else e["key"]
        same(get(key), e["key"].encode(), e["name"])
        if key not in listed:
            raise AssertionError(f"{key!r} is not listed")
        s3cmd("del", "-q", f"s3://{B}/{key}")
        must_fail(lambda: s3cmd("info", f"s3://{B}/{key}"), "404")


@case("keys that the store cannot hold are refused")
def _():
    for e in KEYS:
        if refused(e) and e["name"] not in UNFIT:
            must_fail(lambda: put(e["key"]))


@case("a multipart upload of 16 MiB in parts of 5 comes back")
def _():
    whole = body(16 * MIB)
    put("multi part+1", whole, "--multipart-chunk-size-mb=5")
    same(get("multi part+1"), whole)


@case("content headers and user metadata come back")
def _():
    put("headers", b"x", "--mime-type=text/own", "--add-header=x-amz-meta-color:blue green", "--add-header=Cache-Control:max-age=1")
    info = s3cmd("info", f"s3://{B}/headers").decode()
    for line in ("text/own", "x-amz-meta-color: blue green"):
        if line not in info:
            raise AssertionError(f"{line!r} not in {info}")


@case("its own file attributes come back with get --preserve")
def _():
    source = folder.file("attrs", b"x")
    source.chmod(0o640)
    s3cmd("put", "-q", "--preserve", source, f"s3://{B}/attrs")
    if "mode:33184" not in s3cmd("info", f"s3://{B}/attrs").decode():
        raise AssertionError("no s3cmd-attrs")


@case("copy, move and modify keep the bytes")
def _():
    put("src a+b", b"bytes")
    s3cmd("cp", "-q", f"s3://{B}/src a+b", f"s3://{B}/copied \u00e9")
    s3cmd("mv", "-q", f"s3://{B}/copied \u00e9", f"s3://{B}/moved")
    s3cmd("modify", "-q", "--add-header=x-amz-meta-new:1", f"s3://{B}/moved")
    same(get("moved"), b"bytes")


@case("sync takes a folder up and back")
def _():
    for name, data in {"tree/a b.txt": b"a", "tree/c/d+%20.txt": b"d", "tree/\u00e9": b""}.items():
        folder.file(name, data)
    s3cmd("sync", "-q", f"{folder.path}/tree/", f"s3://{B}/tree/")
    (folder.path / "back").mkdir()
    s3cmd("sync", "-q", f"s3://{B}/tree/", f"{folder.path}/back/")
    same((folder.path / "back/c/d+%20.txt").read_bytes(), b"d")
    same(sorted(p.name for p in (folder.path / "back").iterdir()), ["a b.txt", "c", "\u00e9"])


@case("a signed link serves the object")
def _():
    put("link a+b.txt", b"linked")
    url = s3cmd("signurl", f"s3://{B}/link a+b.txt", "+600").decode().strip()
    same(fetch(url), (200, b"linked"))


@case("a rest of a file is fetched with get --continue")
def _():
    put("rest", b"0123456789")
    into = folder.file("rest.part", b"0123")
    s3cmd("get", "-q", "--continue", f"s3://{B}/rest", into)
    same(into.read_bytes(), b"0123456789")


@case("a zero-byte object is stored and read")
def _():
    put("zero", b"")
    same(get("zero"), b"")


@case("del --recursive removes a folder by batch delete")
def _():
    for name in ("del/a b", "del/a+b", "del/<&>", "del/\u00e9"):
        put(name, b"x")
    s3cmd("del", "-q", "--recursive", f"s3://{B}/del/")
    same(s3cmd("ls", f"s3://{B}/del/"), b"")


@case("du and ls agree with what is stored")
def _():
    put("sum/a", b"12345")
    put("sum/b", b"123")
    if not s3cmd("du", f"s3://{B}/sum/").decode().split()[0] == "8":
        raise AssertionError("du")


case.run()
