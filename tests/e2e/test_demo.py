"""The demo as a user meets it: started as a program, without a terminal, judged by what it prints and leaves."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator_process import eventually

DEMO = (sys.executable, "-m", "runner_pool", "demo")
# A busy machine may need a few times the half minute that the demo takes on two idle cores.
SECONDS = 110

pytestmark = pytest.mark.timeout(SECONDS + 60)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place for the demo's own folder that every account may reach; pytest's own is closed to others."""
    made = Path(tempfile.mkdtemp(prefix="demo-test-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def start(folder: Path, *options: str, **variables: str) -> "subprocess.Popen[str]":
    """Start a demo in a session of its own, as a terminal would."""
    return subprocess.Popen(
        [*DEMO, *options],
        env={**os.environ, **variables, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def ended(demo: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wait for the end of a demo: its exit code and what it printed."""
    try:
        output, _ = demo.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=40)
        pytest.fail(f"the demo has not ended within {SECONDS} s; its output:\n{output}")
    return demo.returncode, output


def processes_of(folder: Path) -> list[str]:
    """Every living process that names the demo's folder, in its arguments or in its environment."""
    mark = os.fsencode(folder)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                seen = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue  # it has ended, or belongs to somebody else
            if mark in seen:
                found.append(f"{entry.name}: {(entry / 'cmdline').read_bytes()!r}")
    return found


def summary(output: str) -> dict[str, str]:
    """The last table of the demo, as a mapping."""
    table = output[output.index("\nsummary") :]
    return dict(re.findall(r"^│ (.+?)\s+│ (.+?)\s+│$", table, re.MULTILINE))


def job_rows(output: str) -> list[list[str]]:
    """The rows of the table of jobs: workflow, job, result, wait, run time, instance."""
    table = output[output.index("\njobs") : output.index("\nsummary")]
    rows: list[list[str]] = [
        re.split(r"\s*│\s*", line.strip("│ ")) for line in table.splitlines() if line.startswith("│")
    ]
    assert all(len(row) == 6 for row in rows)
    return rows


def test_the_demo_runs_every_job_once_stops_none_and_leaves_nothing(folder: Path) -> None:
    code, output = ended(start(folder))
    assert code == 0, output
    facts = summary(output)
    assert facts["jobs that ended as expected"] == "42 of 42"
    for what in (
        "jobs stopped by the scaler",
        "jobs stopped by something else",
        "registrations left",
        "instances left",
        "processes left",
    ):
        assert facts[what] == "0", output
    assert int(facts["idle instances scaled in"]) > 0
    rows = job_rows(output)
    results = {row[1]: row[2] for row in rows}
    assert len(rows) == len(results) == 42
    assert results["a test that breaks (expected to fail)"] == "failure"
    assert results["deploy (expected to be skipped)"] == "skipped"
    assert sorted(set(results.values())) == ["failure", "skipped", "success"]
    instances = [row[5] for row in rows if row[5] != "-"]
    assert len(set(instances)) == 41, "a container serves one job"
    assert processes_of(folder) == []
    assert list(folder.iterdir()) == []


def test_the_demo_shows_its_progress_in_plain_lines(folder: Path) -> None:
    """A queue that fills, instances that come and go: not only the end."""
    workflow = folder / "ci.yml"
    workflow.write_text("on: push\njobs: {a: {runs-on: x, steps: [{run: sleep 2}]}}\n")
    (folder / "source").mkdir()
    demo = start(folder, "--workflow", str(workflow), "--source", str(folder / "source"), "--yes")
    code, output = ended(demo)
    assert code == 0, output
    lines = re.findall(
        r"^ *[\d.]+ s jobs: (\d+) queued, (\d+) running, (\d+) ended \| cells: (\d+)", output, re.MULTILINE
    )
    assert lines[0] == ("1", "0", "0", "0")
    assert any(queued == "0" and running == "1" and int(cells) >= 1 for queued, running, _, cells in lines)
    assert re.search(r"✓ ci.yml / a: success on \w+", output)


def test_ctrl_c_in_the_middle_leaves_no_process_and_no_folder(folder: Path) -> None:
    demo = start(folder)
    output = _read_until(demo, r"[1-9]\d* running")
    assert processes_of(folder), "the world is up"
    os.killpg(demo.pid, signal.SIGINT)
    code, rest = ended(demo)
    assert code == 130, output + rest
    assert "Traceback" not in rest
    assert processes_of(folder) == []
    assert list(folder.iterdir()) == []


def test_a_demo_that_was_killed_takes_its_world_with_it(folder: Path) -> None:
    """SIGKILL leaves no chance to clean up; the kernel tells the programs."""
    demo = start(folder)
    _read_until(demo, r"[1-9]\d* running")
    demo.kill()
    demo.communicate(timeout=30)
    eventually(
        lambda: processes_of(folder),
        lambda left: not left,
        what="no process of the killed demo's world is left",
        deadline_seconds=40.0,
    )


def test_a_users_repository_is_shown_copied_and_run_unprivileged(folder: Path) -> None:
    repository = folder / "repository"
    (repository / ".github" / "workflows").mkdir(parents=True)
    (repository / "greeting.txt").write_text("hello\n")
    (repository / "outside").symlink_to("/etc/hostname")
    (repository / ".github" / "workflows" / "ci.yml").write_text(
        """\
name: mine
on: [push]
jobs:
  greet:
    runs-on: ubuntu-latest
    outputs:
      uid: ${{ steps.who.outputs.uid }}
    steps:
      - uses: actions/checkout@v4
      - run: |
          grep hello greeting.txt
          test ! -e outside
          echo changed > greeting.txt
      - id: who
        run: echo "uid=$(id -u)" >> "$GITHUB_OUTPUT"
  check:
    needs: greet
    runs-on: [self-hosted, linux]
    strategy: {matrix: {part: [1, 2]}}
    steps:
      - shell: python
        run: |
          import os
          assert os.getuid() == int("${{ needs.greet.outputs.uid }}")
          assert os.environ["TOKEN_OF_MINE"] == "t" and "OTHER" not in os.environ
          secrets = [name for name in os.environ if name.startswith("RUNNER_POOL_") or "JITCONFIG" in name]
          assert not secrets, secrets
          ROOT_CHECK
  broken:
    runs-on: ubuntu-latest
    steps: [{run: exit 7}]
""".replace("ROOT_CHECK", "assert os.getuid() != 0" if os.geteuid() == 0 else "pass")
    )
    options = ["--workflow", str(repository), "--source", str(repository), "--yes", "--job", "check"]
    code, output = ended(start(folder, *options, "--env", "TOKEN_OF_MINE", TOKEN_OF_MINE="t", OTHER="o"))
    assert code == 0, output
    assert "    | grep hello greeting.txt" in output
    assert "ubuntu-latest means GitHub's own machines" in output
    assert "left out outside: a link that leaves the folder" in output
    assert summary(output)["jobs that ended as expected"] == "3 of 3"
    assert (repository / "greeting.txt").read_text() == "hello\n"


def test_a_users_failing_job_ends_the_demo_with_1_and_the_end_of_its_log(folder: Path) -> None:
    (folder / "source").mkdir()
    workflow = folder / "ci.yml"
    workflow.write_text(
        "on: push\njobs: {a: {runs-on: x, steps: [{run: 'echo the answer is 41; exit 7'}]}}\n"
    )
    demo = start(folder, "--workflow", str(workflow), "--source", str(folder / "source"), "--yes")
    code, output = ended(demo)
    assert code == 1, output
    assert "ci.yml / a did not end as expected: failure" in output
    assert "the answer is 41" in output[output.index("did not end as expected") :]
    assert "not as it should be: 1 job(s) did not end as expected" in output


def _read_until(demo: "subprocess.Popen[str]", pattern: str) -> str:
    """Read the demo's lines until one shows the fact."""
    assert demo.stdout is not None
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if re.search(pattern, line):
            return "".join(lines)
    raise AssertionError(f"the demo has ended without {pattern!r}:\n{''.join(lines)}")
