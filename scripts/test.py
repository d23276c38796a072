#!/usr/bin/env python3
"""Runs every suite, one after the other, and ends with `N passed, N failed`.

`scripts/test.py NAME…` runs only the suites with these names. Each suite is a real process; a suite that dies without
counts is one failure. The Rust suites run below `coderoom-services`, which starts private backing services and stops them; `postgres` is
those of them again that work on tables, with PostgreSQL in place of SQLite.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path.home() / ".cache/coderoom/target"))
ENVIRONMENT = dict(os.environ, CARGO_TARGET_DIR=str(TARGET), CODEROOM_BIN=str(TARGET / "debug/coderoom"))


def run(command: list[str], directory: Path = ROOT) -> tuple[int, str]:
    """Runs a command, shows its output as it comes, and returns its exit code and output."""
    process = subprocess.Popen(
        command, cwd=directory, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines = []
    assert process.stdout
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    return process.wait(), re.sub(r"\x1b\[[0-9;]*m", "", "".join(lines))


def counts(output: str, passed: str, failed: str) -> tuple[int, int]:
    """Adds up what a runner's closing lines say."""
    return sum(map(int, re.findall(passed, output))), sum(map(int, re.findall(failed, output)))


# Suites that open tables of their own and take PostgreSQL instead of SQLite when CODEROOM_TEST_TABLES says so; but two tests,
# which are about SQLite's file.
ON_POSTGRES = "(package(coderoom-worker) and (binary(engine) or test(/^log::/))) or (package(coderoom-server) and (binary(tasks) or test(/^(rooms|people::tests)::/)) and not test(/tables_can_be_opened_again|full_disk_is_told/))"


SERVICES = str(TARGET / "debug/coderoom-services")


def build() -> int:
    # With the tests, so that dependencies are built once, with one set of features.
    code, _ = run(["cargo", "build", "--workspace", "--all-features", "--bins", "--tests", "--quiet"])
    return code


def nextest(*arguments: str) -> tuple[int, int, int]:
    """Runs Rust tests below private backing services."""
    code = build()
    if code:
        return code, 0, 0
    code, output = run([SERVICES, "cargo", "nextest", "run", "--workspace", "--all-features", "--no-fail-fast", "--status-level", "fail", "--final-status-level", "slow", *arguments])
    summary = (re.findall(r"Summary \[.*", output) or [""])[-1]
    return code, *counts(summary, r"(\d+) passed", r"(\d+) (?:failed|timed out)")


def rust() -> tuple[int, int, int]:
    return nextest()


def postgres() -> tuple[int, int, int]:
    ENVIRONMENT["CODEROOM_TEST_TABLES"] = "postgres"
    try:
        return nextest("-E", ON_POSTGRES)
    finally:
        del ENVIRONMENT["CODEROOM_TEST_TABLES"]


def web() -> tuple[int, int, int]:
    code, _ = run(["npx", "tsc", "--noEmit"], ROOT / "web")
    if code:
        return code, 0, 0
    code, output = run(["npx", "vitest", "run"], ROOT / "web")
    tests = (re.findall(r"^\s*Tests .*", output, re.M) or [""])[-1]
    return code, *counts(tests, r"(\d+) passed", r"(\d+) failed")


def clients() -> tuple[int, int, int]:
    code, output = run(["bash", "tests/clients/run.sh"])
    return code, *counts(output, r"(?m)^(?:#|ℹ) pass (\d+)", r"(?m)^(?:#|ℹ) fail (\d+)")


# All browser tests run a second time, with two servers of the cluster deployment, but those in which nothing depends on where things are kept.
ON_EMBEDDED_ONLY = {
    "assets.test.mjs": "the files of the page are in the binary",
    "layout.test.mjs": "what moves in the page is the page's, and it takes minutes to measure",
}


def browser() -> tuple[int, int, int]:
    code = build()
    if code:
        return code, 0, 0
    embedded, output = run(["bash", "tests/browser/run.sh"])
    both = sorted(file.name for file in (ROOT / "tests/browser").glob("*.test.mjs") if file.name not in ON_EMBEDDED_ONLY)
    cluster, again = run(["env", "DEPLOYMENT=cluster", SERVICES, "bash", "tests/browser/run.sh", *both])
    passed, failed = counts(output + again, r"(?m)^(?:#|ℹ) pass (\d+)", r"(?m)^(?:#|ℹ) fail (\d+)")
    # A pass that died without counts must not hide behind the other's.
    failed += sum(1 for died, text in ((embedded, output), (cluster, again)) if died and not re.search(r"(?m)^(?:#|ℹ) fail [1-9]", text))
    return embedded or cluster, passed, failed


def deploy() -> tuple[int, int, int]:
    code, output = run(["bash", "deploy/check/run.sh"])
    ran = sum(map(int, re.findall(r"(?m)^Ran (\d+) tests?", output)))
    failed = sum(map(int, re.findall(r"(?:failures|errors)=(\d+)", output)))
    return code, ran - failed, failed


def schemathesis() -> tuple[int, int, int]:
    code = build()
    if code:
        return code, 0, 0
    code, output = run([sys.executable, "tests/schemathesis/run.py"])
    return code, *counts(output, r"(?m)^(\d+) passed, \d+ failed$", r"(?m)^\d+ passed, (\d+) failed$")


SUITES = {
    "rust": rust,
    "postgres": postgres,
    "schemathesis": schemathesis,
    "web": web,
    "clients": clients,
    "browser": browser,
    "deploy": deploy,
}


def main() -> int:
    wanted = sys.argv[1:] or list(SUITES)
    passed = failed = 0
    for name in wanted:
        if name not in SUITES:
            print(f"no suite {name!r}; there are: {', '.join(SUITES)}")
            return 2
        print(f"== {name}", flush=True)
        began = time.monotonic()
        code, good, bad = SUITES[name]()
        if code and not bad:
            print(f"{name}: ended with exit code {code} and no failed test; counted as one failure")
            bad = 1
        if not code and not good:
            print(f"{name}: ran no test; counted as one failure")
            bad = 1
        print(f"== {name}: {good} passed, {bad} failed in {time.monotonic() - began:.0f} s\n", flush=True)
        passed += good
        failed += bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
