"""What clients see of the default policy: a clear refusal, at once, and nothing stored."""

import os
import shutil
import time

import boto3
from botocore.config import Config

from harness import ACCESS_KEY, ENDPOINT, HOST, MIB, REGION, SECRET_KEY, Cases, Folder, Skip, body, command, must_fail, same

case = Cases()
folder = Folder()
B = "files"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + body(4000)
LARGE = PNG + bytes(11 * MIB)
AWS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PAGER": "",
}
RCLONE = {
    "RCLONE_CONFIG": str(folder.file("rclone.conf", b"")), "RCLONE_CONFIG_S_TYPE": "s3", "RCLONE_CONFIG_S_PROVIDER": "Minio",
    "RCLONE_CONFIG_S_ACCESS_KEY_ID": ACCESS_KEY, "RCLONE_CONFIG_S_SECRET_ACCESS_KEY": SECRET_KEY,
    "RCLONE_CONFIG_S_ENDPOINT": ENDPOINT, "RCLONE_CONFIG_S_REGION": REGION, "RCLONE_S3_UPLOAD_CUTOFF": "5Mi",
    "RCLONE_S3_CHUNK_SIZE": "5Mi",
}
S3CFG = folder.file("s3cfg", f"""[default]
access_key = {ACCESS_KEY}
secret_key = {SECRET_KEY}
host_base = {HOST}
host_bucket = {HOST}
bucket_location = {REGION}
use_https = False
progress_meter = False
""".encode())
CLIENT = boto3.client("s3", endpoint_url=ENDPOINT, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
                      region_name=REGION, config=Config(s3={"addressing_style": "path"}))



def typed(path):
    return "image/png" if str(path).endswith(".png") else "text/plain"


# Each stores a file with the retries that the client has by itself.
TOOLS = {
    "boto3": lambda path, key: CLIENT.upload_file(str(path), B, key, ExtraArgs={"ContentType": typed(path)}),
    "AWS CLI": lambda path, key: command("/usr/bin/aws", "--endpoint-url", ENDPOINT, "s3", "cp", path, f"s3://{B}/{key}", env=AWS),
    "rclone": lambda path, key: command("rclone", "copyto", path, f"S:{B}/{key}", env=RCLONE),
    "s3cmd": lambda path, key: command("s3cmd", "-c", S3CFG, "--no-progress", "put", path, f"s3://{B}/{key}"),
}
NEEDS = {"AWS CLI": "/usr/bin/aws", "rclone": "rclone", "s3cmd": "s3cmd"}
# A client that gives up at once needs a second or two; one that tries again as
# for a server that is busy needs much longer.
AT_ONCE = 40


def left(prefix):
    keys = [o["Key"] for o in CLIENT.list_objects_v2(Bucket=B, Prefix=prefix).get("Contents", [])]
    return keys + [u["Key"] for u in CLIENT.list_multipart_uploads(Bucket=B).get("Uploads", []) if u["Key"].startswith(prefix)]


def add(tool, store):
    prefix = tool.replace(" ", "-").lower() + "/"

    def needed():
        if tool in NEEDS and not shutil.which(NEEDS[tool]):
            raise Skip(f"{tool} is not installed")

    @case(f"{tool}: an allowed file is stored")
    def _():
        needed()
        store(folder.file("a.png", PNG), prefix + "a.png")
        same(left(prefix), [prefix + "a.png"], "what is stored")
        CLIENT.delete_object(Bucket=B, Key=prefix + "a.png")

    for name, path, data, words in (
        ("another type", "a.txt", b"hello", ("ALLOWED_FILE_TYPES", "AccessDenied", "403", "Forbidden")),
        ("a file over the limit", "b.png", LARGE, ("EntityTooLarge", "MAX_FILE_SIZE", "400")),
    ):
        @case(f"{tool}: {name} is refused at once, and nothing of it stays")
        def _(path=path, data=data, words=words):
            needed()
            began = time.monotonic()
            must_fail(lambda: store(folder.file(path, data), prefix + path), *words)
            took = time.monotonic() - began
            if took > AT_ONCE:
                raise AssertionError(f"it was tried for {took:.0f} s")
            for _ in range(50):  # some clients abort when they are asked what went wrong
                if not left(prefix):
                    break
                time.sleep(0.1)
            same(left(prefix), [], "what stays")


for each, storing in TOOLS.items():
    add(each, storing)

os.environ.pop("AWS_MAX_ATTEMPTS", None)
case.run()
