"""How long an instance needs from its first instruction to the runner's, beside a shell script with the same requests."""

import os
import select
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.agent_program import agent_environment, copied_agent, interpreter
from bench.loopback_server import served
from bench.measures import Row
from bench.stub_platform import CELL, CELL_SECRET, StubPlatform

NAME = "agent-start"
RUNS = 15
MOST_TIMES_THE_SCRIPT = 2.5
_DEADLINE_SECONDS = 20.0
_REQUESTS = {"instance": 1, "identity": 1, "park": 1, "start": 1}

_SCRIPT = """#!/bin/bash
set -euo pipefail
metadata="$BENCH_URL/computeMetadata/v1/instance"
instance=$(curl -sf -H 'Metadata-Flavor: Google' "$metadata/id")
token=$(curl -sf -H 'Metadata-Flavor: Google' "$metadata/service-accounts/default/identity?audience=$BENCH_URL&format=full")
boot=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \\n')
body=$(jq -nc --arg cell "$BENCH_CELL" --arg instance "$instance" --arg boot "$boot" \\
  '{cell: $cell, instance: $instance, boot: $boot, ask: 1, uptime: 0.1}')
ask() {
  curl -sf -X POST -H "Authorization: Bearer $token" -H "X-Cell-Secret: $BENCH_SECRET" \\
    -H 'Content-Type: application/json' -d "$body" "$BENCH_URL/v1/leases$1"
}
test "$(ask '' | jq -r .offer)" = true
configuration=$(ask /start | jq -r .encoded_jit_config)
export ACTIONS_RUNNER_INPUT_JITCONFIG="$configuration"
exec "$BENCH_RUNNER"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contender:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    requests: Mapping[str, int]


def row() -> Row:
    """Measure; skipped where the script's tools are missing."""
    missing = [tool for tool in ("bash", "curl", "jq") if shutil.which(tool) is None]
    if missing:
        return Row(bench=NAME, measured=f"skipped: this machine has no {', '.join(missing)}", runs="0")
    platform = StubPlatform()
    with tempfile.TemporaryDirectory() as name, served(platform.app()) as url, _bell(Path(name)) as bell:
        contenders = _contenders(Path(name), url)
        seconds: dict[str, list[float]] = {each.name: [] for each in contenders}
        for run in range(RUNS + 1):  # the first run of each fills the page cache and is not counted
            for each in contenders:
                platform.forget()
                taken = _taken_seconds(each, bell)
                asked = {kind: platform.counts.get(kind, 0) for kind in _REQUESTS}
                if asked != each.requests:
                    raise RuntimeError(
                        f"{each.name} made {asked}, not {dict(each.requests)}: not the same work"
                    )
                if run:
                    seconds[each.name].append(taken)
    median = {name: statistics.median(each) * 1000 for name, each in seconds.items()}
    # Round by round: what else the machine does in a round slows both.
    ratio, compiled = (
        statistics.median(
            ours / theirs for ours, theirs in zip(seconds[name], seconds["script"], strict=True)
        )
        for name in ("image", "compiled")
    )
    return Row(
        bench=NAME,
        measured=f"agent as in the image {median['image']:.0f} ms = {ratio:.2f} x the script's {median['script']:.0f} ms; "
        f"with bytecode {median['compiled']:.0f} ms = {compiled:.2f} x; "
        f"a bare Python that only starts the runner {median['bare']:.0f} ms",
        runs=f"{RUNS} each, alternating",
        target=f"agent <= {MOST_TIMES_THE_SCRIPT} x the script",
        met=ratio <= MOST_TIMES_THE_SCRIPT,
    )


def _contenders(folder: Path, url: str) -> list[_Contender]:
    runner, script = folder / "runner.sh", folder / "start.sh"
    # The bell's path is written down: the agent hands its own settings on to nobody.
    runner.write_text(f"#!/bin/sh\nprintf x > {folder}/bell\n")
    script.write_text(_SCRIPT)
    for each in (runner, script):
        each.chmod(0o755)
    image, compiled = folder / "image", folder / "compiled"
    paths = {
        "image": copied_agent(image, compiled=False),
        "compiled": copied_agent(compiled, compiled=True),
    }
    python = interpreter()
    agents = [
        _Contender(
            name=name,
            command=[python, "-m", "runner_agent"],
            environment=agent_environment(path=path, url=url, runner=[str(runner)], home=folder),
            requests=_REQUESTS,
        )
        for name, path in paths.items()
    ]
    script_environment = {
        "PATH": os.environ["PATH"],
        "BENCH_URL": url,
        "BENCH_CELL": CELL,
        "BENCH_SECRET": CELL_SECRET,
        "BENCH_RUNNER": str(runner),
    }
    bare = [python, "-c", f"import os; os.execv({str(runner)!r}, [{str(runner)!r}])"]
    return [
        *agents,
        _Contender(name="script", command=[str(script)], environment=script_environment, requests=_REQUESTS),
        _Contender(
            name="bare",
            command=bare,
            environment={"PATH": os.environ["PATH"]},
            requests=dict.fromkeys(_REQUESTS, 0),
        ),
    ]


@contextmanager
def _bell(folder: Path) -> Iterator[int]:
    """A pipe with a name, on which the runner's first act is heard; open for both ways, so that nobody waits to open it."""
    os.mkfifo(folder / "bell")
    descriptor = os.open(folder / "bell", os.O_RDWR | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _taken_seconds(contender: _Contender, bell: int) -> float:
    begun = time.monotonic()
    process = subprocess.Popen(
        contender.command,
        env=dict(contender.environment),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        ready, _, _ = select.select([bell], [], [], _DEADLINE_SECONDS)
        rung = time.monotonic()
        if not ready:
            raise RuntimeError(
                f"{contender.name} started no runner within {_DEADLINE_SECONDS:g} s (exit code {process.poll()})"
            )
        os.read(bell, 64)
        return rung - begun
    finally:
        process.kill()
        process.wait()
