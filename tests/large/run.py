#!/usr/bin/python3
"""Upload one large file by each way of the upload API and compare what is stored.

Prints, for each way, the time, whether the SHA-256 of the download is that of
the file, and the peak memory of the gateway's own process. The resumable upload
is cut three times, and the gateway is killed after the second cut. The store is
the embedded one, or, with S3GATEWAY_TEST_STORE=minio, the MinIO server of
S3GATEWAY_TEST_MINIO.
"""

import argparse
import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MIB = 1 << 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class MinIO:
    """A MinIO server with one bucket, in a folder of its own."""

    def __init__(self, binary, folder):
        port, keys = free_port(), {"MINIO_ROOT_USER": "large", "MINIO_ROOT_PASSWORD": secrets.token_hex(20)}
        data = folder / "minio" / "data"
        (data / "files").mkdir(parents=True)
        self.process = subprocess.Popen(
            [binary, "server", "--quiet", "--address", f"127.0.0.1:{port}", "--console-address", "127.0.0.1:0", "--config-dir", folder / "minio", data],
            env={**keys, "PATH": os.environ["PATH"], "HOME": str(folder), "MINIO_BROWSER": "off", "MINIO_UPDATE": "off"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.settings = {"S3_ENABLED": "true", "S3_BUCKET_NAME": "files", "S3_REGION": "us-east-1", "S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                         "S3_ACCESS_KEY_ID": keys["MINIO_ROOT_USER"], "S3_SECRET_ACCESS_KEY": keys["MINIO_ROOT_PASSWORD"],
                         "GATEWAY_ACCESS_KEY_ID": "LARGELARGELARGE", "GATEWAY_SECRET_ACCESS_KEY": secrets.token_hex(20)}

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Gateway:
    """The gateway, on its embedded store where settings name no other."""

    def __init__(self, binary, folder, settings):
        self.binary, self.folder, self.settings, self.port = binary, folder, settings, free_port()
        self.start()

    def start(self):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LISTEN_ADDR": f"127.0.0.1:{self.port}", "ADMIN_ADDR": "off",
               "DATA_DIR": str(self.folder / "data"), "MAX_FILE_SIZE": "0", "ALLOWED_FILE_TYPES": "*/*", "LOG_LEVEL": "WARNING", **self.settings}
        self.process = subprocess.Popen([self.binary], cwd=self.folder, env=env, stderr=(self.folder / "log").open("a"))
        for _ in range(300):
            try:
                if self.json("GET", "health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        sys.exit("the gateway does not start: " + (self.folder / "log").read_text()[-2000:])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def json(self, method, path, body=None):
        c = self.connection()
        c.request(method, f"/api/v1/upload/{path}", None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        r = c.getresponse()
        raw = r.read()
        return r.status, json.loads(raw) if raw else {}

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/api/v1/upload/{path}"

    def forget_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        return 0


def make(path, size):
    """A file that no compression or deduplication makes smaller; its SHA-256."""
    sum_, block = hashlib.sha256(), os.urandom(MIB)
    with path.open("wb") as f:
        for i in range(size // MIB):
            piece = i.to_bytes(8, "big") + block[8:]
            f.write(piece)
            sum_.update(piece)
    return sum_.hexdigest()


def curl(*args):
    done = subprocess.run(["curl", "-sS", "--fail-with-body", *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"curl {args}: {done.stderr} {done.stdout[:2000]}")
    return done.stdout


def direct_form(g, path):
    return json.loads(curl("-F", f"file=@{path};type=application/octet-stream", g.url("direct")))["file_id"]


def direct_raw(g, path):
    return json.loads(curl("-T", path, "-H", "Expect:", "-H", "Content-Type: application/octet-stream", g.url("direct?filename=large.bin")))["file_id"]


def presigned(g, path):
    status, link = g.json("POST", "presigned", {"filename": "large.bin", "content_type": "application/octet-stream"})
    assert status == 200, link
    curl("-T", path, "-H", "Expect:", "-H", "Content-Type: application/octet-stream", link["upload_url"])
    status, done = g.json("POST", "complete/" + urllib.parse.quote(link["file_id"]))
    assert status < 300, done
    return link["file_id"]


def resumable(g, path):
    size = path.stat().st_size
    tus = {"Tus-Resumable": "1.0.0"}

    def ask(method, target, headers):
        c = g.connection()
        c.request(method, target, headers={**tus, **headers})
        r = c.getresponse()
        r.read()
        return r

    created = ask("POST", "/api/v1/upload/resumable", {"Upload-Length": str(size), "Upload-Metadata": "filename bGFyZ2UuYmlu"})
    assert created.status == 201, created.status
    target = urllib.parse.urlsplit(created.getheader("Location")).path
    cuts = [size // 5, size // 2 + 12345, size * 4 // 5 + 1]
    offset = 0
    with path.open("rb") as f:
        while True:
            c = g.connection()
            c.putrequest("PATCH", target)
            for name, value in {**tus, "Upload-Offset": offset, "Content-Type": "application/offset+octet-stream", "Content-Length": size - offset}.items():
                c.putheader(name, str(value))
            c.endheaders()
            f.seek(offset)
            until = cuts[0] if cuts else size
            while f.tell() < until:
                c.send(f.read(min(MIB, until - f.tell())))
            if not cuts:
                r = c.getresponse()
                r.read()
                assert r.status == 204, r.status
                return urllib.parse.unquote(r.getheader("X-File-Id"))
            c.close()
            cuts.pop(0)
            if len(cuts) == 1:
                g.kill()
                g.start()
            head = ask("HEAD", target, {})
            offset = int(head.getheader("Upload-Offset"))
            print(f"    cut; {offset / MIB:.0f} MiB are safe{' after a kill of the gateway' if len(cuts) == 1 else ''}", flush=True)


WAYS = {"direct, a form": direct_form, "direct, raw": direct_raw, "presigned PUT": presigned, "resumable, cut": resumable}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--gateway", default=ROOT / "bin/s3gateway", type=Path)
    p.add_argument("--only", default="", help="only ways whose name contains this")
    p.add_argument("--mib", default=5120, type=int, help="size of the file in MiB")
    args = p.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="s3gateway-large-"))
    store = os.environ.get("S3GATEWAY_TEST_STORE") or "embedded"
    g, minio, wrong = None, None, 0
    try:
        path = folder / "large.bin"
        print(f"{store} store; making a file of {args.mib} MiB", flush=True)
        want = make(path, args.mib * MIB)
        if store == "minio":
            minio = MinIO(os.environ["S3GATEWAY_TEST_MINIO"], folder)
        g = Gateway(args.gateway.resolve(), folder, minio.settings if minio else {})
        idle = g.peak()
        print(f"{'way':<16} {'upload':>8} {'sha256':>10} {'peak memory':>13}   (idle {idle / MIB:.0f} MiB)")
        for name, way in WAYS.items():
            if args.only not in name:
                continue
            g.forget_peak()
            start = time.monotonic()
            file_id = way(g, path)
            took, peak = time.monotonic() - start, g.peak()
            got = subprocess.run(f"curl -sS '{g.url('download/' + file_id)}' | sha256sum", shell=True, capture_output=True, text=True).stdout.split()[0]
            wrong += got != want
            print(f"{name:<16} {took:>6.0f} s {'equal' if got == want else 'DIFFERENT':>10} {peak / MIB:>9.0f} MiB", flush=True)
            curl("-X", "DELETE", g.url(urllib.parse.quote(file_id)))
    except BaseException:
        print((folder / "log").read_text()[-3000:], file=sys.stderr)
        raise
    finally:
        for server in (g, minio):
            if server:
                server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
