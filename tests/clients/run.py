#!/usr/bin/python3
"""Run real S3 clients through the gateway, and directly against its backend.

Every client runs the same cases against MinIO directly, MinIO through the
gateway, and the gateway's embedded store. What passes directly must pass
through the gateway: otherwise the exit status is 1. The client "refusals" runs
four tools against gateways with the default policy.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE / "py"))

from servers import Servers  # noqa: E402

PYTHON = "/usr/bin/python3"
CLIENT_SECONDS = 400

Result = collections.namedtuple("Result", "verdict name reason")


def clients(built):
    """name -> (command, why it cannot run here or "")."""
    def python(name):
        return [PYTHON, HERE / "py" / f"{name}.py"]

    def needs(program):
        return "" if shutil.which(program) else f"{program} is not installed"

    fuse = "" if os.access("/dev/fuse", os.R_OK | os.W_OK) else "no /dev/fuse that this user may open"
    modules = "" if (HERE / "js/node_modules/@aws-sdk/client-s3").is_dir() else "npm ci was not run"
    return {
        "aws-cli": (python("aws_cli"), "" if Path("/usr/bin/aws").exists() else "awscli is not installed"),
        "boto3": (python("boto3_sdk"), ""),
        "s3cmd": (python("s3cmd"), needs("s3cmd")),
        "rclone": (python("rclone"), needs("rclone")),
        "restic": (python("restic"), needs("restic")),
        "s3fs": (python("s3fs"), needs("s3fs") or fuse),
        "aws-sdk-js": (["node", HERE / "js" / "main.mjs"], needs("node") or modules),
        "aws-sdk-go": ([built / "awssdk"], ""),
        "minio-go": ([built / "minioclient"], ""),
        "refusals": (python("refusals"), ""),
    }


def build_go(folder):
    subprocess.run(["go", "build", "-o", f"{folder}/", "./go/awssdk", "./go/minioclient"], cwd=HERE, check=True)
    return folder


def end(process):
    """End a client and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run_client(command, target, folder, running):
    """The client's results; what it says beside them becomes a failed case."""
    home = Path(tempfile.mkdtemp(prefix="home-", dir=folder))
    # Nothing of the caller's own settings: no profile, proxy, CA bundle or locale.
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8",
           "PYTHONDONTWRITEBYTECODE": "1", "S3_KEYS": str(HERE / "keys.json"), "AWS_EC2_METADATA_DISABLED": "true",
           "CASE": os.environ.get("CASE", ""), "TRACE": os.environ.get("TRACE", ""), **target.environment()}
    process = subprocess.Popen([str(c) for c in command], cwd=home, env=env, text=True, errors="replace",
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)
    running[process.pid] = process
    try:
        out, err = process.communicate(timeout=CLIENT_SECONDS)
    except subprocess.TimeoutExpired:
        end(process)
        out, err = process.communicate()
        err += f"\nended after {CLIENT_SECONDS} s"
    except BaseException:
        end(process)
        raise
    finally:
        del running[process.pid]
    results = [Result(*line.split("\t", 2)) for line in out.splitlines() if line.count("\t") == 2]
    if process.returncode != 0 or not results:
        results.append(Result("fail", "the client runs to its end", f"exit {process.returncode}: {err[-600:]}"))
    if os.environ.get("TRACE"):
        sys.stderr.write(err)
    return results


def count(results, verdict):
    return sum(r.verdict == verdict for r in results)


def print_client(client, target, results, seconds):
    reasons = sorted({r.reason for r in results if r.verdict == "skip"})
    skipped = f"{count(results, 'skip')} skipped" + (f" ({'; '.join(reasons)})" if reasons else "")
    print(f"{client:<11} {target.name:<16} {count(results, 'ok'):>3} passed {count(results, 'fail'):>2} failed "
          f"{skipped}  {seconds:.0f} s", flush=True)
    for r in results:
        if r.verdict == "fail":
            print(f"      FAIL {r.name}: {r.reason}", flush=True)


def run_all(chosen, targets, folder, jobs):
    """client -> target name -> results."""
    table, running = collections.defaultdict(dict), {}

    def one(client, command, target):
        start = time.monotonic()
        results = run_client(command, target, folder, running)
        return client, target, results, time.monotonic() - start

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        work = []
        for client, (command, why) in chosen.items():
            if why:
                print(f"{client:<11} {'every backend':<16} skipped ({why})", flush=True)
                continue
            work += [pool.submit(one, client, command, target) for target in targets
                     if (client == "refusals") == (target.policy == "default")]
        try:
            for done in concurrent.futures.as_completed(work):
                client, target, results, seconds = done.result()
                table[client][target.name] = results
                print_client(client, target, results, seconds)
        except BaseException:  # an interrupt comes to this thread alone
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running.values()):
                end(process)
            raise
    return table


def passed(results):
    return {r.name for r in results if r.verdict == "ok"}


def summary(table):
    """Print direct against gateway; the number of cases that only the gateway fails."""
    print(f"\n{'client':<11} {'MinIO direct':>13} {'through gateway':>16} {'lost':>5} {'embedded store':>15}")
    lost_of_all = 0
    for client, by in sorted(table.items()):
        direct, through = passed(by.get("minio-direct", [])), passed(by.get("minio-gateway", []))
        embedded = by.get("embedded-gateway", by.get("embedded-gateway-default", []))
        if "minio-gateway-default" in by:  # there is nothing to compare with
            through = passed(by["minio-gateway-default"])
            lost_of_all += count(by["minio-gateway-default"], "fail")
        lost = sorted(direct - through) if "minio-gateway" in by else []
        failed = count(embedded, "fail")
        lost_of_all += len(lost) + failed
        print(f"{client:<11} {len(direct):>13} {len(through):>16} {len(lost):>5} "
              f"{len(passed(embedded)):>9} of {count(embedded, 'ok') + failed}")
        for name in lost:
            print(f"      passes directly, not through the gateway: {name}")
        for r in embedded:
            if r.verdict == "fail":
                print(f"      fails on the embedded store: {r.name}")
    return lost_of_all


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--gateway", default=ROOT / "bin/s3gateway", type=Path, help="the gateway's binary")
    p.add_argument("--minio", default=ROOT / ".cache/minio", type=Path, help="MinIO's binary")
    p.add_argument("--jobs", type=int, default=2, help="clients that run at the same time")
    p.add_argument("--target", default="", help="only targets whose name contains this")
    p.add_argument("--keep", action="store_true", help="leave the folder with logs and data")
    p.add_argument("clients", nargs="*", help="only these clients")
    return p.parse_args()


def interrupted(signum, _):
    sys.exit(128 + signum)


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    folder = Path(tempfile.mkdtemp(prefix="s3gateway-clients-"))
    servers = Servers(folder)
    try:
        (folder / "bin").mkdir()
        chosen = {n: c for n, c in clients(build_go(folder / "bin")).items() if not args.clients or n in args.clients}
        direct = servers.minio(args.minio.resolve())
        gateway = args.gateway.resolve()
        targets = [servers.gateway(gateway, behind, policy) for policy in ("open", "default") for behind in (direct, None)]
        targets = [direct, *targets]
        targets = [t for t in targets if args.target in t.name]
        lost = summary(run_all(chosen, targets, folder, args.jobs))
    finally:
        servers.stop()
        if args.keep:
            print(f"logs and data are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if lost:
        print(f"\n{lost} of the cases fail only behind the gateway", file=sys.stderr)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
