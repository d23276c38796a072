#!/usr/bin/env python3
"""Sends what the OpenAPI document allows, and what it does not, to a real server: no 500, no undocumented status.

Starts a private server (CODEROOM_BIN), runs schemathesis on it with a seed that is printed, and ends with `N passed, N failed`,
where each operation counts once. Tasks, a run and a user that are there stand in its paths, so that what lies behind is reached. schemathesis lives in a virtual environment below ~/.cache/coderoom, made when it is missing.
"""

import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

CACHE = Path(os.environ.get("CODEROOM_CACHE", Path.home() / ".cache/coderoom"))
TOOL = CACHE / "schemathesis"
VERSION = "schemathesis>=4,<5"
TOKEN = "schemathesis-admin-token-0123456789"
EXAMPLES = os.environ.get("CODEROOM_SCHEMATHESIS_EXAMPLES", "15")
# The whole run, in seconds: what is left of the random part by then is left out.
LONGEST_S = "130"
# What would end the server or the account that asks; and the import of zips, which the tool cannot write (mutated ones have a
# test of their own beside the code).
LEFT_OUT = r"/admin/drain$|/sign-out$|/users/\{user\}/(suspend|reset)$|/me/password$|/import$"


def install() -> None:
    """Makes the virtual environment when it is not there."""
    if (TOOL / "bin/st").exists():
        return
    made = subprocess.run([sys.executable, "-m", "venv", str(TOOL)]).returncode == 0
    pip = [str(TOOL / "bin/pip"), "--disable-pip-version-check", "install", "--quiet", VERSION]
    if not made or subprocess.run(pip).returncode:
        print("schemathesis could not be installed: the package index was not reached, or says no")
        print("0 passed, 1 failed")
        sys.exit(1)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_served(url: str, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit("the server ended before it served")
        try:
            urllib.request.urlopen(f"{url}/health/live", timeout=2)
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("the server did not serve within 60 s")


def call(url: str, method: str, path: str, body: dict | None = None) -> dict:
    """A request of the administrator, which must succeed."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/api/v1{path}", data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"{}")


def populate(url: str) -> str:
    """Makes what the paths name; gives it as schemathesis' settings."""
    tasks = [call(url, "POST", "/tasks", {"name": f"task {number}", "language": "python"})["id"] for number in range(3)]
    submitted = call(url, "POST", f"/tasks/{tasks[0]}/runs", {"command": "mkdir -p output; echo x > output/x; echo done"})
    user = call(url, "POST", "/users", {"name": "somebody", "password": "a long enough password"})
    common = {"path.task": tasks[0], "path.run": submitted["run"]["id"], "path.user": user["name"], "path.provider": "nobody"}
    # Who deletes a task, or hands it over, deletes one that nothing else needs.
    apart = {"DELETE /api/v1/tasks/{task}": tasks[1], "DELETE /api/v1/tasks/{task}/files/{path}": tasks[2]}
    lines = ["[parameters]"] + [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in common.items()]
    for operation, task in apart.items():
        lines += ["[[operations]]", f"include-name = {json.dumps(operation)}", "[operations.parameters]", f'"path.task" = {json.dumps(task)}']
    return "\n".join(lines) + "\n"


def main() -> int:
    install()
    seed = os.environ.get("CODEROOM_SEED", str(random.randrange(2**32)))
    with tempfile.TemporaryDirectory(prefix="coderoom-schemathesis-") as folder:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environment = dict(
            os.environ,
            CODEROOM_ADMIN_TOKEN=TOKEN,
            CODEROOM_LIMITS_REQUESTS_PER_ADDRESS="100000000",
            CODEROOM_LIMITS_REQUESTS_PER_USER="100000000",
            CODEROOM_PEOPLE_ATTEMPTS_PER_ADDRESS="1000000",
            CODEROOM_PEOPLE_ATTEMPTS_PER_NAME="1000000",
            CODEROOM_PEOPLE_ATTEMPTS_PER_NAME_IN_ALL="2000000",
        )
        command = [os.environ["CODEROOM_BIN"], "serve", "--listen", f"127.0.0.1:{port}", "--data", f"{folder}/data"]
        with open(f"{folder}/server.log", "wb") as log:
            server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until_served(url, server)
            print(f"seed {seed}; again with CODEROOM_SEED={seed}", flush=True)
            settings = Path(folder) / "schemathesis.toml"
            settings.write_text(populate(url))
            check = [
                str(TOOL / "bin/st"), "--config-file", str(settings), "run", f"{url}/api/openapi.json", "--url", url,
                "--header", f"Authorization: Bearer {TOKEN}",
                "--checks", "not_a_server_error,status_code_conformance",
                "--max-examples", EXAMPLES, "--seed", seed, "--exclude-path-regex", LEFT_OUT,
                "--phases", "examples,coverage,fuzzing", "--max-time", LONGEST_S, "--request-timeout", "20", "--continue-on-failure", "--no-color",
            ]
            result = subprocess.run(check, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            print(result.stdout)
            if server.poll() is not None:
                print("the server died; its log:\n" + Path(f"{folder}/server.log").read_text()[-4000:])
                print("0 passed, 1 failed")
                return 1
        finally:
            server.terminate()
            server.wait(timeout=60)
    tested = max(map(int, re.findall(r"(?:Tested|Selected):\s+(\d+)", result.stdout)), default=0)
    failed = len(set(re.findall(r"^_+ (.+?) _+$", result.stdout, re.M)))
    # A summary that names no operation proves nothing.
    if not failed and (result.returncode or not tested):
        failed = 1
    print(f"{max(tested - failed, 0)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
