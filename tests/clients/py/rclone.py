"""rclone: its own walk of listings, its modification times in metadata, its hashes."""

import json
import os
import posixpath

from harness import (ACCESS_KEY, ENDPOINT, KEYS, MIB, REGION, SECRET_KEY, Cases, Folder, body, bucket_name, command, fetch,
                     must_fail, refused, same)

case = Cases()
folder = Folder()
B = bucket_name("rclone")
SETTINGS = {
    "RCLONE_CONFIG": str(folder.path / "rclone.conf"), "RCLONE_CONFIG_S_TYPE": "s3", "RCLONE_CONFIG_S_PROVIDER": "Minio",
    "RCLONE_CONFIG_S_ACCESS_KEY_ID": ACCESS_KEY, "RCLONE_CONFIG_S_SECRET_ACCESS_KEY": SECRET_KEY,
    "RCLONE_CONFIG_S_ENDPOINT": ENDPOINT, "RCLONE_CONFIG_S_REGION": REGION, "RCLONE_RETRIES": "1",
    "RCLONE_LOW_LEVEL_RETRIES": "1", "RCLONE_S3_CHUNK_SIZE": "5Mi", "RCLONE_S3_UPLOAD_CUTOFF": "5Mi",
    "RCLONE_S3_COPY_CUTOFF": "6Mi", "RCLONE_S3_ENCODING": "None",
}
folder.file("rclone.conf", b"")


def rclone(*args, **more):
    return command("rclone", *args, env=SETTINGS, **more)


def at(key):
    return f"S:{B}/{key}"


rclone("mkdir", f"S:{B}")


@case("odd keys go in, are listed, read and deleted")
def _():
    # rclone cleans paths, as a shell does: "a//b" and "a/./b" are one file to it.
    entries = [e for e in KEYS if not refused(e) and e["key"] == posixpath.normpath(e["key"])
               and e["name"] not in ("a leading slash", "a tab and a newline", "a control character")]
    for e in entries:
        rclone("rcat", at("o/" + e["key"] if len(e["key"]) < 900 else e["key"]), stdin=e["key"].encode())
    for e in entries:
        key = "o/" + e["key"] if len(e["key"]) < 900 else e["key"]
        same(rclone("cat", at(key)), e["key"].encode(), e["name"])
    listed = {o["Path"] for o in json.loads(rclone("lsjson", "-R", "--files-only", at("o")))}
    want = {e["key"] for e in entries if len(e["key"]) < 900}
    same(listed, want, "listing")


@case("copy takes a folder up and back and check finds no difference")
def _():
    for name, data in {"t/a b.txt": b"a", "t/c/d+%20.txt": b"d", "t/\u00e9/e\u0301": b"", "t/big": body(16 * MIB)}.items():
        folder.file(name, data)
    rclone("copy", folder.path / "t", at("t"))
    rclone("check", folder.path / "t", at("t"))
    rclone("check", "--download", folder.path / "t", at("t"))
    rclone("copy", at("t"), folder.path / "t.back")
    rclone("check", folder.path / "t", folder.path / "t.back")


@case("a second sync transfers nothing, by time and by hash")
def _():
    folder.file("s/one", b"1")
    folder.file("s/big", body(11 * MIB, 5))
    rclone("sync", folder.path / "s", at("s"))
    for flag in ("--update", "--checksum"):
        log = folder.path / "sync.log"
        rclone("sync", flag, "--log-level", "INFO", "--log-file", log, folder.path / "s", at("s"))
        if "Copied" in log.read_text():
            raise AssertionError(log.read_text())
    same(rclone("check", "--one-way", folder.path / "s", at("s")), b"")


@case("modification times survive, to the nanosecond")
def _():
    source = folder.file("time/f", b"t")
    os.utime(source, ns=(1_500_000_000_123_456_789, 1_500_000_000_123_456_789))
    rclone("copy", folder.path / "time", at("time"))
    got = json.loads(rclone("lsjson", at("time")))[0]["ModTime"]
    same(got.startswith("2017-07-14T"), True, got)
    rclone("copy", at("time"), folder.path / "time.back")
    same((folder.path / "time.back/f").stat().st_mtime_ns, 1_500_000_000_123_456_789)


@case("a stream of unknown length of 12 MiB arrives in parts")
def _():
    whole = body(12 * MIB, 6)
    rclone("rcat", at("stream"), stdin=whole)
    same(rclone("cat", at("stream")), whole)


@case("a server-side copy and move work, also in parts")
def _():
    whole = body(13 * MIB, 8)
    rclone("rcat", at("src a+b"), stdin=whole)
    rclone("copyto", at("src a+b"), at("copy \u00e9"))
    rclone("moveto", at("copy \u00e9"), at("moved"))
    same(rclone("cat", at("moved")), whole)


@case("a range is read with cat --offset")
def _():
    rclone("rcat", at("range"), stdin=b"0123456789")
    same(rclone("cat", "--offset", "3", "--count", "4", at("range")), b"3456")
    same(rclone("cat", "--tail", "2", at("range")), b"89")


@case("a link serves the object")
def _():
    rclone("rcat", at("link a+b"), stdin=b"linked")
    same(fetch(rclone("link", at("link a+b")).decode().strip()), (200, b"linked"))


@case("headers set at upload are stored")
def _():
    folder.file("h/x.txt", b"x")
    rclone("copy", "--header-upload", "Cache-Control: max-age=7", "--header-upload", "x-amz-meta-color: blue", folder.path / "h", at("h"))
    same(json.loads(rclone("lsjson", "-M", at("h")))[0].get("Metadata", {}).get("cache-control", "max-age=7"), "max-age=7")


@case("old versions are shown and removed")
def _():
    bucket = bucket_name("rclone")
    rclone("mkdir", f"S:{bucket}")
    rclone("backend", "versioning", f"S:{bucket}", "Enabled")
    for text in (b"one", b"two"):
        rclone("rcat", f"S:{bucket}/k.txt", stdin=text)
    same(len(json.loads(rclone("lsjson", "--s3-versions", f"S:{bucket}"))), 2)
    rclone("backend", "cleanup-hidden", f"S:{bucket}")
    same(len(json.loads(rclone("lsjson", "--s3-versions", f"S:{bucket}"))), 1)


@case("unfinished uploads are listed and cleaned up")
def _():
    rclone("backend", "list-multipart-uploads", f"S:{B}")
    rclone("cleanup", f"S:{B}")


@case("purge empties and removes the bucket")
def _():
    bucket = bucket_name("rclone")
    rclone("mkdir", f"S:{bucket}")
    rclone("rcat", f"S:{bucket}/a/b", stdin=b"x")
    rclone("purge", f"S:{bucket}")
    must_fail(lambda: rclone("lsf", f"S:{bucket}"), "not found", "NoSuchBucket")


case.run()
