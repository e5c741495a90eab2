"""restic: a backup, its check and its restore (minio-go in an older age)."""

import json

from harness import ACCESS_KEY, ENDPOINT, MIB, REGION, SECRET_KEY, Cases, Folder, body, bucket_name, command, must_fail, same

case = Cases()
folder = Folder()
SETTINGS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_DEFAULT_REGION": REGION,
    "RESTIC_REPOSITORY": f"s3:{ENDPOINT}/{bucket_name('restic')}/deep/path", "RESTIC_PASSWORD": "a password of tests",
    "RESTIC_CACHE_DIR": str(folder.path / "cache"),
}
FILES = {"a b.txt": b"a", "c/d+%20.txt": b"d", "\u00e9": b"", "big.bin": body(24_000_000)}


def restic(*args):
    return command("restic", "--quiet", *args, env=SETTINGS)


def write_files():
    for name, data in FILES.items():
        folder.file(f"tree/{name}", data)


@case("a repository is made in a new bucket, and not made twice")
def _():
    restic("init")
    must_fail(lambda: restic("init"), "already")


@case("a backup of 24 MB is taken and checks with all its data")
def _():
    write_files()
    restic("backup", folder.path / "tree")
    restic("check", "--read-data")


@case("the restored files are those of the backup")
def _():
    restic("restore", "latest", "--target", folder.path / "back")
    root = folder.path / "back" / str(folder.path / "tree").lstrip("/")
    for name, data in FILES.items():
        same((root / name).read_bytes(), data, name)


@case("a second backup adds a snapshot, and forget --prune removes the first")
def _():
    folder.file("tree/new", body(3 * MIB, 2))
    restic("backup", folder.path / "tree")
    same(len(json.loads(restic("snapshots", "--json"))), 2)
    restic("forget", "--keep-last", "1", "--prune")
    same(len(json.loads(restic("snapshots", "--json"))), 1)
    restic("check", "--read-data")


@case("without its cache it reads everything from the bucket again")
def _():
    same(len(restic("--no-cache", "dump", "latest", folder.path / "tree" / "big.bin")), 24_000_000)


case.run()
