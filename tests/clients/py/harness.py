"""What every Python client shares: the cases, the environment, the verdict lines.

A client is a program that reads S3_* from its environment, runs its cases and
prints one line for each: verdict, name and reason, separated by tabs.
"""

import json
import os
import subprocess
import tempfile
import traceback
import urllib.error
import urllib.request
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ENDPOINT = os.environ["S3_ENDPOINT"]
ACCESS_KEY = os.environ["S3_ACCESS_KEY"]
SECRET_KEY = os.environ["S3_SECRET_KEY"]
REGION = os.environ["S3_REGION"]
STORE = os.environ["S3_STORE"]  # embedded or minio: what finally keeps the bytes
ROUTE = os.environ["S3_ROUTE"]  # direct or gateway
HOST = ENDPOINT.removeprefix("http://")
MIB = 1 << 20

KEYS = json.loads((HERE / "keys.json").read_text())


class Skip(Exception):
    """Why a case cannot be tried with this client or store."""


class Cases:
    """Cases in the order of their definition; each is named by a sentence."""

    def __init__(self):
        self.all = []

    def __call__(self, name):
        def add(function):
            self.all.append((name, function))
            return function
        return add

    def run(self):
        wanted = os.environ.get("CASE", "")
        for name, function in self.all:
            if wanted in name:
                self.one(name, function)

    def one(self, name, function):
        try:
            function()
            verdict, reason = "ok", ""
        except Skip as why:
            verdict, reason = "skip", str(why)
        except Exception as error:  # any failure of a client is a verdict, not a crash
            verdict, reason = "fail", f"{type(error).__name__}: {error}"
            if os.environ.get("TRACE"):
                traceback.print_exc()
        print(verdict, name, " ".join(reason.split())[:700], sep="\t", flush=True)


def refused(key):
    """The codes with which the store refuses this entry of KEYS, or None."""
    return key.get("refused", {}).get(STORE)


def bucket_name(client):
    return f"{client}-{uuid.uuid4().hex[:12]}"


def body(size, seed=7):
    """size bytes that no two offsets share, so that a shifted range shows."""
    import random
    return random.Random(seed).randbytes(size)


def same(got, want, what="value"):
    if got != want:
        def show(v):
            return f"{len(v)} bytes {v[:40]!r}" if isinstance(v, bytes) else f"{v!r}"
        raise AssertionError(f"{what} is {show(got)}, want {show(want)}")


class CommandError(Exception):
    pass


def command(*args, env=None, stdin=None, timeout=180, check=True):
    """Run a client program; its standard output, or CommandError with its last words."""
    done = subprocess.run(
        [str(a) for a in args], input=stdin, capture_output=True, timeout=timeout,
        env={**os.environ, **(env or {})})
    if check and done.returncode != 0:
        words = (done.stderr or done.stdout).decode(errors="replace")
        raise CommandError(f"{Path(str(args[0])).name} exit {done.returncode}: {words[-500:]}")
    return done.stdout


def must_fail(function, *words):
    """The call fails and says one of words."""
    try:
        function()
    except (CommandError, Exception) as error:
        if words and not any(w in str(error) for w in words):
            raise AssertionError(f"refused with {error}, want one of {words}") from error
        return
    raise AssertionError(f"was taken, want a refusal with one of {words}")


def fetch(url, method="GET", data=None, headers=None):
    """A plain HTTP request, as by a browser with a link: status and body."""
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Folder:
    """A folder of the client's own, inside the one that the runner removes."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="client-"))

    def file(self, name, data):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


