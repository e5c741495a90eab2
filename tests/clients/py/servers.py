"""The servers under test: MinIO, and the gateway before it or on its own disk."""

import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 30


@dataclass(frozen=True)
class Target:
    """An S3 endpoint that clients are run against."""
    route: str  # direct or gateway
    store: str  # minio or embedded
    endpoint: str
    access_key: str
    secret_key: str
    policy: str = "open"  # or default: the gateway's own limits

    @property
    def name(self):
        return f"{self.store}-{self.route}" + ("-default" if self.policy == "default" else "")

    def environment(self):
        return {
            "S3_ENDPOINT": self.endpoint, "S3_ACCESS_KEY": self.access_key,
            "S3_SECRET_KEY": self.secret_key, "S3_REGION": "us-east-1", "S3_STORE": self.store,
            "S3_ROUTE": self.route,
        }


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Servers:
    """Servers started here; stop() ends them, and nothing else."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.running = []

    def start(self, name, args, settings, health):
        home = self.folder / name
        home.mkdir()
        log = open(home / "log", "wb")
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), **settings}
        process = subprocess.Popen(args, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.running.append(process)
        deadline = time.monotonic() + START_SECONDS
        while not answers(health):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{name} did not start:\n{(home / 'log').read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)

    def minio(self, binary):
        port, console = free_port(), free_port()
        target = Target("direct", "minio", f"http://127.0.0.1:{port}", "backend-key", secrets.token_hex(16))
        (self.folder / "minio-files" / "files").mkdir(parents=True)
        self.start("minio", [
            binary, "server", "--quiet", "--address", f"127.0.0.1:{port}",
            "--console-address", f"127.0.0.1:{console}", self.folder / "minio-files",
        ], {
            "MINIO_ROOT_USER": target.access_key, "MINIO_ROOT_PASSWORD": target.secret_key,
            "MINIO_BROWSER": "off", "MINIO_UPDATE": "off", "CI": "true",
        }, f"{target.endpoint}/minio/health/ready")
        return target

    def gateway(self, binary, behind=None, policy="open"):
        port, admin = free_port(), free_port()
        store = behind.store if behind else "embedded"
        target = Target("gateway", store, f"http://127.0.0.1:{port}", "client-access-key", secrets.token_hex(16), policy)
        settings = {
            "LISTEN_ADDR": f"127.0.0.1:{port}", "ADMIN_ADDR": f"127.0.0.1:{admin}",
            "DATA_DIR": str(self.folder / f"data-{store}-{policy}"),
            "GATEWAY_ACCESS_KEY_ID": target.access_key, "GATEWAY_SECRET_ACCESS_KEY": target.secret_key,
            "S3_BUCKET_NAME": "files", "S3_REGION": "us-east-1",
        }
        if policy == "open":
            settings |= {"MAX_FILE_SIZE": "0", "ALLOWED_FILE_TYPES": "*/*", "S3_EXPOSE_BUCKETS": "*"}
        if behind:
            settings |= {
                "S3_ENABLED": "true", "S3_ENDPOINT_URL": behind.endpoint,
                "S3_ACCESS_KEY_ID": behind.access_key, "S3_SECRET_ACCESS_KEY": behind.secret_key,
            }
        self.start(f"gateway-{store}-{policy}", [binary], settings, f"http://127.0.0.1:{admin}/readyz")
        return target

    def log(self, name):
        return (self.folder / name / "log").read_text(errors="replace")

    def stop(self):
        for process in reversed(self.running):
            process.terminate()
        for process in reversed(self.running):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (OSError, urllib.error.HTTPError):
        return False
