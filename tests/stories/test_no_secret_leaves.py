"""No secret of a whole world stands where it must not: loud logs, answers, reports, arguments, environments, records."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.pool_world import PoolWorld, pool_world, wait_until
from tests.e2e.sweep import ITS_PLACE, Found, Processes, leaks, secrets_of
from tests.e2e.test_burst import all_done, nothing_left

WEBHOOK_SECRET = "e2e-webhook-secret"
ACCOUNT, CALLER = "e2e-cells@demo-project.iam.gserviceaccount.com", "cron@example.com"
# A step that shows what it has: everything of it ends in the job's log.
CURIOUS = """
name: curious
on: push
jobs:
  one:
    strategy:
      matrix:
        number: [0, 1, 2]
    runs-on: [self-hosted, linux]
    steps:
      - run: |
          env
          tr '\\0' '\\n' < /proc/self/environ
          tr '\\0' ' ' < /proc/self/cmdline
          sleep 2
"""


def answers(world: PoolWorld, secrets: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """What the service says to good callers and to those that put a secret where none belongs."""
    cloud, url = world.emulator.cloud, world.forwarder.url
    caller = {"Authorization": f"Bearer {cloud.identity_token(email=CALLER, audience=url)}"}
    cell = min(world.counts())
    instance = cloud.identity_token(email=ACCOUNT, audience=url)
    with httpx.Client(base_url=url, timeout=60) as http:
        for path, reply in {
            "/status": http.get("/status", headers=caller),
            "/tick": http.post("/tick", headers=caller),
            "/readyz": http.get("/readyz"),
        }.items():
            yield path, f"{reply.headers}\n{reply.text}"
        for kind, known in secrets.items():
            one = known[0]
            for what, headers, body in (
                ("as a token", {"Authorization": f"Bearer {one}"}, {}),
                ("as a cell's secret", {"Authorization": f"Bearer {instance}", "X-Cell-Secret": one}, {}),
                ("as a cell", {"Authorization": f"Bearer {instance}"}, {"cell": one[:40]}),
                ("as a boot", {}, {"boot": one}),
                ("as a field", {}, {one[:60]: one}),
                ("as a signature", {"X-Hub-Signature-256": one, "X-GitHub-Event": "ping"}, {}),
            ):
                for path in ("/v1/leases/start", "/webhooks/github"):
                    sent = {"cell": cell, "instance": "i", "boot": "0" * 32, "ask": 1, "uptime": 1, **body}
                    reply = http.post(path, json=sent, headers=headers)
                    assert reply.status_code >= 400, (kind, what, path)
                    if what not in ("as a cell", "as a field"):  # told back: the name of what was not found
                        yield f"{path} with {kind} {what}", f"{reply.headers}\n{reply.text}"


def reports(world: PoolWorld) -> Iterator[tuple[str, str]]:
    """What the verbs print."""
    for arguments in (("plan",), ("plan", "--json"), ("check-config",)):
        done = world.run(*arguments)
        yield " ".join(arguments), done.stdout + done.stderr


def kept(world: PoolWorld) -> Iterator[tuple[str, str]]:
    """What stays on disk: logs of scalers and instances, the logs of jobs, the records."""
    for path in world.folder.glob("scaler-*.log"):
        yield path.name, path.read_text(errors="replace")
    for instance in world.emulator.cloud.instances():
        yield f"log of instance {instance['id'][:8]}", world.emulator.cloud.log(instance["id"])
    for job in world.emulator.github.jobs(log=True):
        yield f"log of job {job['name']}", job["log"]
    for path in world.folder.glob("records.db*"):
        yield path.name, path.read_bytes().decode("latin-1")


@pytest.mark.timeout(240)
def test_no_secret_stands_where_it_must_not(tmp_path: Path) -> None:
    processes = Processes()
    with pool_world(tmp_path / "w", sizes=(1, 2), max_instances=3) as world:
        world.scaler_command = (sys.executable, "-m", "tests.e2e.loud_scaler")
        world.start_scaler()
        world.emulator.github.push("acme/widgets", {"curious.yml": CURIOUS})

        def watched() -> object:
            processes.look(world)
            return all_done(world, 3)

        wait_until(watched, seconds=90, what="all jobs done", world=world)
        secrets = secrets_of(world, webhook_secret=WEBHOOK_SECRET)
        found: list[Found] = []
        seen: list[str] = []
        places = [*answers(world, secrets), *reports(world)]
        wait_until(lambda: nothing_left(world), seconds=60, what="nothing is left", world=world)
        secrets = secrets_of(world, webhook_secret=WEBHOOK_SECRET)
        for where, text in (*places, *processes.outside_its_place(), *kept(world)):
            seen.append(where)
            found += leaks(text, secrets, where=where)
        assert found == [], found
        assert_the_sweep_has_seen_it_all(world, processes, seen, secrets)


def assert_the_sweep_has_seen_it_all(
    world: PoolWorld, processes: Processes, seen: list[str], secrets: dict[str, list[str]]
) -> None:
    """A sweep that looked nowhere finds nothing: the registration was in its place, steps were caught at work, logs are loud."""
    places = [variables[ITS_PLACE] for variables in processes.environments.values() if ITS_PLACE in variables]
    assert places
    assert {leak.kind for place in places for leak in leaks(place, secrets, where="")} == {
        "encoded_jit_config"
    }
    steps = [pid for pid in processes.environments if "emulator.runner" not in processes.arguments[pid]]
    assert steps, processes.arguments
    assert any("sleep" in processes.arguments[pid] for pid in steps)
    assert all(ITS_PLACE not in processes.environments[pid] for pid in steps)
    assert "DEBUG:" in (world.folder / "scaler-0.log").read_text()
    assert sum(where.startswith("log of job") for where in seen) == 3
    assert sum(where.startswith("log of instance") for where in seen) >= 2
    assert {"/status", "plan --json", "records.db"} <= set(seen)


@pytest.mark.parametrize("kind", ["App key", "cell secret", "identity_token"])
def test_the_sweep_finds_a_secret_that_was_put_somewhere(kind: str) -> None:
    """Whole, and cut short as a log might cut it."""
    secrets = {
        "App key": ["MIIEowIBAAKCAQEA1234567890"],
        "cell secret": ["s" * 43],
        "identity_token": ["eyJ" + "h" * 300 + "." + "p" * 300 + "." + "x" * 300],
    }
    text = f"before {secrets[kind][0]} after"
    assert leaks(text, secrets, where="here") == [Found(kind, "here")]
    assert leaks(text.replace(secrets[kind][0], ""), secrets, where="here") == []
    if kind == "identity_token":
        assert leaks(text[:100], secrets, where="here") == [Found(kind, "here")]
