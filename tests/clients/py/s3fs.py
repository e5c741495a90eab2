"""s3fs: a bucket as a file system through FUSE."""

import os
import time

from harness import (ACCESS_KEY, ENDPOINT, MIB, SECRET_KEY, Cases, Folder, body, bucket_name, command, same)

case = Cases()
folder = Folder()
ROOT = folder.path / "mnt"
B = bucket_name("s3fs")
passwd = folder.file("passwd", f"{ACCESS_KEY}:{SECRET_KEY}".encode())
passwd.chmod(0o600)
ROOT.mkdir()


def mount():
    command("s3fs", B, ROOT, "-o", f"passwd_file={passwd}", "-o", f"url={ENDPOINT}", "-o", "use_path_request_style",
            "-o", "createbucket", "-o", "multipart_size=5", "-o", "singlepart_copy_limit=10", "-o", "retries=1",
            "-o", f"tmpdir={folder.path}", "-o", "sigv4", "-o", "enable_noobj_cache")
    wait(lambda: os.path.ismount(ROOT), "the mount")


def unmount():
    command("fusermount", "-u", ROOT)
    wait(lambda: not os.path.ismount(ROOT), "the unmount")


def remount():
    """So that what is read comes from the bucket."""
    unmount()
    mount()


def wait(condition, what):
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"no {what}")
        time.sleep(0.05)


@case("files with odd names are written, listed and read after a remount")
def _():
    names = ["a b+c.txt", "100%", "caf\u00e9", "\u6587\u4ef6", "=&;,:@!*'()#?~$", "empty"]
    for name in names:
        (ROOT / name).write_bytes(b"" if name == "empty" else name.encode())
    remount()
    same(sorted(os.listdir(ROOT)), sorted(names), "listing")
    for name in names:
        same((ROOT / name).read_bytes(), b"" if name == "empty" else name.encode(), name)


@case("a folder tree is made, renamed and removed")
def _():
    (ROOT / "d/e f").mkdir(parents=True)
    (ROOT / "d/e f/file").write_bytes(b"x")
    (ROOT / "d").rename(ROOT / "moved")
    remount()
    same((ROOT / "moved/e f/file").read_bytes(), b"x")
    (ROOT / "moved/e f/file").unlink()
    (ROOT / "moved/e f").rmdir()
    (ROOT / "moved").rmdir()
    same((ROOT / "moved").exists(), False)


@case("a file of 24 MB is written in parts, read in part and whole")
def _():
    whole = body(24_000_000)
    (ROOT / "big").write_bytes(whole)
    remount()
    with open(ROOT / "big", "rb") as f:
        f.seek(11 * MIB)
        same(f.read(100), whole[11 * MIB:11 * MIB + 100])
    same((ROOT / "big").read_bytes(), whole)


@case("mode, owner and time of a file survive a remount")
def _():
    path = ROOT / "mode"
    path.write_bytes(b"x")
    path.chmod(0o640)
    os.utime(path, (1_500_000_000, 1_500_000_000))
    remount()
    stat = path.stat()
    same((stat.st_mode & 0o777, int(stat.st_mtime)), (0o640, 1_500_000_000))


@case("appending rewrites the object")
def _():
    path = ROOT / "grow"
    path.write_bytes(b"0123")
    with open(path, "ab") as f:
        f.write(b"4567")
    remount()
    same(path.read_bytes(), b"01234567")


@case("a large file is renamed by a multipart copy")
def _():
    whole = body(21 * MIB, 3)
    (ROOT / "large").write_bytes(whole)
    (ROOT / "large").rename(ROOT / "renamed")
    remount()
    same((ROOT / "renamed").read_bytes(), whole)


mount()
try:
    case.run()
finally:
    unmount()
