"""How much memory the agent itself holds while its runner runs a job."""

import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from bench.agent_program import agent_environment, copied_agent, interpreter
from bench.loopback_server import served
from bench.measures import Row
from bench.process_figures import proportional_mib, resident_mib
from bench.stub_platform import StubPlatform

NAME = "agent-memory"
RUNS = 5
MOST_MIB = 25.0
_DEADLINE_SECONDS = 20.0
_OUTPUT_SECONDS = 2.0

# Listens, takes a job and talks for as long as it lives, as a job's runner does.
_RUNNER = """#!/bin/sh
echo '2026-11-20 10:00:00Z: Listening for Jobs'
echo '2026-11-20 10:00:01Z: Running job: build'
while true; do echo 'a line of the runner'; sleep 0.05; done
"""


def row() -> Row:
    """Measure."""
    resident, proportional = [], []
    platform = StubPlatform()
    with tempfile.TemporaryDirectory() as name, served(platform.app()) as url:
        folder = Path(name)
        path = copied_agent(folder / "image", compiled=False)
        runner = folder / "runner.sh"
        runner.write_text(_RUNNER)
        runner.chmod(0o755)
        environment = agent_environment(path=path, url=url, runner=[str(runner)], home=folder)
        for _ in range(RUNS):
            platform.forget()
            process = subprocess.Popen(
                [interpreter(), "-m", "runner_agent"],
                env=dict(environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                _await_running(platform, process)
                time.sleep(_OUTPUT_SECONDS)  # the time in which the runner talks is part of what is measured
                resident.append(resident_mib(process.pid))
                proportional.append(proportional_mib(process.pid))
            finally:
                process.terminate()  # the agent ends its runner itself, within 9 s
                process.wait(15)
    return Row(
        bench=NAME,
        measured=f"resident {statistics.median(resident):.1f} MiB (largest {max(resident):.1f}), "
        f"proportional {statistics.median(proportional):.1f} MiB",
        runs=str(RUNS),
        target=f"<= {MOST_MIB:.0f} MiB",
        met=max(resident) <= MOST_MIB,
    )


def _await_running(platform: StubPlatform, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while platform.state != "running":
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(
                f"the agent did not report a running job: last state {platform.state}, requests {platform.counts}, "
                f"exit code {process.poll()}"
            )
        time.sleep(0.01)
