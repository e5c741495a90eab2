#!/usr/bin/python3
"""Run public S3 conformance suites directly against MinIO, and through the gateway.

Each suite runs against a MinIO of its own, against the gateway in front of
another one, and against the gateway's embedded store. What passes directly must
pass through the gateway, but for what on-purpose.txt names: otherwise the exit
status is 1. On the embedded store a panic, a hang or a 5xx that S3 does not have
is an error.
"""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests/clients/py"))

from servers import Servers  # noqa: E402

SUITE_SECONDS = 1500


def go(*args, **options):
    return subprocess.run(["go", *map(str, args)], cwd=HERE, check=True, **options)


def build_versitygw(folder):
    go("build", "-o", folder / "versitygw", "./versitygw")
    return [folder / "versitygw"]


def build_minio_go(folder):
    # Only a download names the folder: "go list -m" does not know it before one.
    source = go("mod", "download", "-json", "github.com/minio/minio-go/v7", capture_output=True, text=True)
    go("build", "-o", folder / "minio-go", Path(json.loads(source.stdout)["Dir"]) / "functional_tests.go")
    return [folder / "minio-go"]


def go_tests(name, package, *arguments):
    """How to build the tests of a Go package."""
    def build(folder):
        go("test", "-c", "-o", folder / name, package)
        return [folder / name, "-test.v=test2json", f"-test.timeout={SUITE_SECONDS - 60}s", *arguments]
    return build


def read_tabs(out):
    """Lines of verdict, name and reason."""
    rows = [line.split("\t") for line in out.splitlines() if line.count("\t") == 2]
    return {name: (verdict, reason) for verdict, name, reason in rows}


def read_minio_go(out):
    """JSON lines; a case may have several, of which a failure counts."""
    cases = {}
    for line in out.splitlines():
        if not line.startswith("{"):
            continue
        row = json.loads(line)
        name = row.get("name", "").removeprefix("minio-go: ")
        verdict = {"PASS": "ok", "FAIL": "fail"}.get(row.get("status"), "skip")
        reason = row.get("error") or row.get("message") or row.get("alert") or ""
        worst = max(cases.get(name, ("", "")), (verdict, reason), key=lambda c: ["", "skip", "ok", "fail"].index(c[0]))
        cases[name] = worst
    return cases


def read_go_tests(out):
    """The output of Go tests; a test and each of its subtests is a case."""
    events = subprocess.run(["go", "tool", "test2json"], input=out, cwd=HERE, check=True, capture_output=True, text=True)
    cases, said = {}, {}
    for line in events.stdout.splitlines():
        event = json.loads(line)
        name, action = event.get("Test", ""), event["Action"]
        if action == "output":
            said[name] = said.get(name, "") + event["Output"]
        elif name and (verdict := {"pass": "ok", "fail": "fail", "skip": "skip"}.get(action)):
            cases[name] = (verdict, " ".join(said.get(name, "").split()) if verdict == "fail" else "")
    return cases


def rclone(provider):
    return go_tests("rclone", "github.com/rclone/rclone/backend/s3", "-test.run=^TestIntegration$", "-remote=suite:"), \
        read_go_tests, lambda t: {
            "RCLONE_CONFIG_SUITE_TYPE": "s3", "RCLONE_CONFIG_SUITE_PROVIDER": provider,
            "RCLONE_CONFIG_SUITE_ENDPOINT": t.endpoint, "RCLONE_CONFIG_SUITE_REGION": "us-east-1",
            "RCLONE_CONFIG_SUITE_ACCESS_KEY_ID": t.access_key, "RCLONE_CONFIG_SUITE_SECRET_ACCESS_KEY": t.secret_key,
            "RCLONE_CONFIG_SUITE_FORCE_PATH_STYLE": "true",
        }


SUITES = {
    "versitygw": (build_versitygw, read_tabs, lambda t: t.environment()),
    "minio-go": (build_minio_go, read_minio_go, lambda t: {
        "SERVER_ENDPOINT": t.endpoint.removeprefix("http://"), "ACCESS_KEY": t.access_key, "SECRET_KEY": t.secret_key,
        "ENABLE_HTTPS": "0", "MINT_MODE": "full", "RUN_ON_FAIL": "1",
    }),
    "rclone": rclone("Minio"),
    "rclone-other": rclone("Other"),
    "gocloud": (go_tests("gocloud", "./gocloud"), read_go_tests, lambda t: t.environment()),
    "objstore": (go_tests("objstore", "./objstore"), read_go_tests, lambda t: t.environment()),
    "distribution": (go_tests("distribution", "github.com/distribution/distribution/v3/registry/storage/driver/s3-aws",
                              "-test.skip=^Test(GetS3LogLevelFromParam|IsSubpath|DirectoryDiff)$"), read_go_tests, lambda t: {
        "AWS_ACCESS_KEY": t.access_key, "AWS_SECRET_KEY": t.secret_key, "AWS_REGION": "us-east-1", "S3_BUCKET": "files",
        "S3_ENCRYPT": "false", "S3_SECURE": "false", "S3_ACCELERATE": "false", "AWS_S3_FORCE_PATH_STYLE": "true",
        "REGION_ENDPOINT": t.endpoint,
    }),
}


def run_suite(suite, program, target, folder):
    _, read, settings = SUITES[suite]
    home = Path(tempfile.mkdtemp(prefix="home-", dir=folder))
    # rclone's tests look here for servers to start, and want the folder.
    (home / "fstest/testserver/init.d").mkdir(parents=True)
    # Nothing of the caller's own settings: no profile, proxy or CA bundle.
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home),
           "CASE": os.environ.get("CASE", ""), **settings(target)}
    with open(home / "out", "w+") as out:
        try:
            process = subprocess.run(program, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=subprocess.STDOUT, timeout=SUITE_SECONDS, check=False)
            # 1 says no more than that a case failed.
            problem = f"exit {process.returncode}" if process.returncode not in (0, 1) else ""
        except subprocess.TimeoutExpired:
            problem = f"no end after {SUITE_SECONDS} s"
        out.seek(0)
        cases = read(out.read())
    if problem or not cases:
        cases["the suite runs to its end"] = ("fail", problem)
    return cases


def on_purpose(suite):
    """Patterns of names that are refused here on purpose."""
    rows = [line.split("\t") for line in (HERE / "on-purpose.txt").read_text().splitlines()
            if line and not line.startswith("#")]
    return [re.compile(f"(?:{pattern})$") for name, pattern, _ in rows if name == suite]


def passed(cases):
    return {name for name, (verdict, _) in cases.items() if verdict == "ok"}


def compare(suite, by):
    """Print the row and the lost cases of a suite; how many there are."""
    direct, through, embedded = (by[route] for route in ("minio-direct", "minio-gateway", "embedded-gateway"))
    meant = on_purpose(suite)
    lost = sorted(passed(direct) - passed(through))
    allowed = [name for name in lost if any(p.match(name) for p in meant)]
    broken = [name for name, (_, reason) in embedded.items()
              if re.search(r"panic|no end after|status ?code: 50[024]|InternalError", reason, re.IGNORECASE)]
    print(f"{suite:<12} {len(direct):>6} {len(passed(direct)):>14} {len(passed(through)):>16} {len(allowed):>11} "
          f"{len(lost) - len(allowed):>5} {len(passed(embedded)):>15}")
    for name in lost:
        if name not in allowed:
            print(f"      passes directly, not through the gateway: {name}: {through.get(name, ('', 'did not run'))[1][:300]}")
    for name in broken:
        print(f"      embedded store: {name}: {embedded[name][1][:300]}")
    return len(lost) - len(allowed) + len(broken)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("suites", nargs="*", help=f"of {', '.join(SUITES)}; all without")
    p.add_argument("--gateway", default=ROOT / "bin/s3gateway", type=lambda p: Path(p).resolve())
    p.add_argument("--minio", default=ROOT / ".cache/minio", type=lambda p: Path(p).resolve())
    p.add_argument("--keep", action="store_true", help="keep the folder with logs and outputs, and say where it is")
    args = p.parse_args()
    chosen = args.suites or list(SUITES)
    if unknown := set(chosen) - set(SUITES):
        p.error(f"no suite {', '.join(sorted(unknown))}")
    folder = Path(tempfile.mkdtemp(prefix="conformance-"))
    programs = {suite: SUITES[suite][0](folder) for suite in chosen}
    servers, bad, rows = [], 0, []
    try:
        for suite in chosen:
            work = []
            with concurrent.futures.ThreadPoolExecutor(3) as pool:
                for route in ("minio-direct", "minio-gateway", "embedded-gateway"):
                    at = folder / f"{suite}-{route}"
                    at.mkdir()
                    s = Servers(at)
                    servers.append(s)
                    minio = s.minio(args.minio) if route.startswith("minio") else None
                    target = minio if route == "minio-direct" else s.gateway(args.gateway, behind=minio)
                    work.append((route, pool.submit(run_suite, suite, programs[suite], target, at)))
                rows.append((suite, {route: done.result() for route, done in work}))
        print(f"{'suite':<12} {'cases':>6} {'passed direct':>14} {'passed through':>16} {'on purpose':>11} {'lost':>5} {'embedded store':>15}")
        for suite, by in rows:
            bad += compare(suite, by)
    finally:
        for s in servers:
            s.stop()
        if args.keep:
            print(f"logs and outputs: {folder}")
        else:
            subprocess.run(["rm", "-rf", folder], check=False)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
