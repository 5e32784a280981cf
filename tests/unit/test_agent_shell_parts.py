"""The small parts around the lifecycle: log lines, the process table, the runner's environment, the last watch."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner_agent.account import Account
from runner_agent.child import Tree
from runner_agent.last_watch import watch_to_the_end
from runner_agent.lifecycle.actions import Rung
from runner_agent.lifecycle.states import Timing
from runner_agent.log import Journal
from runner_agent.memory_kills import memory_kills
from runner_agent.process_tree import Process, descendants, process_of
from runner_agent.runner_environment import runner_environment

TIMING = Timing(max_lifetime=100)


def test_a_log_line_is_what_cloud_logging_reads() -> None:
    lines: list[bytes] = []
    journal = Journal(write=lines.append, wall_clock=lambda: 1_790_000_000.5)
    journal.label(cell="linux-a1")
    journal.warning("two\nlines √ \ud800", lease="L")
    (line,) = lines
    assert line.count(b"\n") == 1
    assert json.loads(line.decode(errors="replace")) == {
        "severity": "WARNING",
        "time": "2026-09-21T14:13:20.500+00:00",
        "message": "two\nlines √ \ud800",
        "logging.googleapis.com/labels": {"cell": "linux-a1", "lease": "L"},
    }


def test_a_secret_is_hidden_and_a_short_text_is_not_taken_for_one() -> None:
    lines: list[bytes] = []
    journal = Journal(write=lines.append, wall_clock=lambda: 0.0)
    journal.hide("a-long-secret")
    journal.hide("a")
    journal.info("an a-long-secret")
    assert json.loads(lines[0])["message"] == "an ***"


def test_a_secret_is_hidden_too_where_an_error_quotes_it() -> None:
    """http.client shows the bytes that it refuses."""
    lines: list[bytes] = []
    journal = Journal(write=lines.append, wall_clock=lambda: 0.0)
    secret = "a\\long'secret"
    journal.hide(secret)
    for quoted in (secret, repr(secret), repr(secret.encode())):
        journal.info(f"Invalid header value {quoted}")
    assert [line for line in lines if b"long" in line] == []


def test_a_message_cannot_grow_without_bound() -> None:
    lines: list[bytes] = []
    Journal(write=lines.append, wall_clock=lambda: 0.0).info("x" * 1_000_000)
    assert len(lines[0]) < 20_000


STAT = "{pid} ({name}) {state} {parent} 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 {started} 1 1"


@pytest.mark.parametrize("name", ["run.sh", "a b", "evil) R 1 (", ") Z 1 1"])
def test_a_process_may_call_itself_what_it_likes(name: str) -> None:
    line = STAT.format(pid=42, name=name, state="S", parent=7, started=99)
    assert process_of(line) == Process(pid=42, parent=7, state="S", started=99)


def process(pid: int, parent: int) -> Process:
    """A sleeping process."""
    return Process(pid=pid, parent=parent, state="S", started=0)


def test_descent_reaches_every_generation_and_nobody_else() -> None:
    table = [process(5, 4), process(4, 3), process(3, 1), process(9, 2), process(2, 1), process(6, 3)]
    assert {each.pid for each in descendants(table, 3)} == {4, 5, 6}
    assert descendants(table, 5) == []


def test_descent_ends_in_a_table_that_changed_while_it_was_read() -> None:
    """Pids may have been used again, so that two processes seem to be each other's parent."""
    assert {each.pid for each in descendants([process(2, 3), process(3, 2)], 2)} == {2, 3}


def test_the_runner_gets_nothing_of_the_agents_own() -> None:
    env = {"PATH": "/bin", "RUNNER_POOL_CELL_SECRET": "s", "APP_KEY": "k", "HOME": "/root", "LANG": "C"}
    account = Account(uid=1001, gid=1001, groups=(), name="runner", home="/home/runner", switch=True)
    got = runner_environment(env, account=account, encoded_jit_config="jit", secret_names=["APP_KEY"])
    assert got == {
        "PATH": "/bin",
        "LANG": "C",
        "HOME": "/home/runner",
        "USER": "runner",
        "LOGNAME": "runner",
        "RUNNER_MANUALLY_TRAP_SIG": "1",
        "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE": "1",
        "ACTIONS_RUNNER_INPUT_JITCONFIG": "jit",
    }


class Watched:
    """A runner that ends by itself at a time, or when a rung is climbed; its stragglers need SIGKILL."""

    def __init__(self, *, ends_at: float, stragglers: int = 0, ends_on: Rung = Rung.INTERRUPT) -> None:
        self.now = 0.0
        self.ends_at = ends_at
        self.ends_on = ends_on
        self.stragglers = stragglers
        self.runner = 1
        self.sent: list[tuple[float, Rung]] = []
        self.terminate_at: float | None = None

    def reap(self) -> int | None:
        if self.runner and self.now >= self.ends_at:
            self.runner = 0
            return 0
        return None

    def look(self) -> Tree:
        return Tree(processes=self.runner + self.stragglers, workers=0)

    def signal(self, rung: Rung) -> None:
        self.sent.append((self.now, rung))
        if rung is self.ends_on:
            self.ends_at = self.now
        if rung is Rung.KILL:
            self.stragglers, self.ends_at = 0, min(self.ends_at, self.now)

    def termination_asked_within(self, seconds: float) -> bool:
        before, self.now = self.now, self.now + seconds
        return self.terminate_at is not None and before < self.terminate_at <= self.now


def watch(child: Watched, *, stop_at: float = 1e9) -> Sequence[Rung]:
    """Watch this child to its end; gives the rungs that were needed."""
    watch_to_the_end(
        child,
        stop_at=stop_at,
        timing=TIMING,
        clock=lambda: child.now,
        termination_asked_within=child.termination_asked_within,
    )
    return [rung for _, rung in child.sent]


def test_the_last_watch_lets_a_job_end_by_itself() -> None:
    child = Watched(ends_at=20_000)
    assert watch(child) == []
    assert child.now >= 20_000


def test_the_last_watch_ends_what_a_job_leaves_behind() -> None:
    assert watch(Watched(ends_at=100, stragglers=2)) == [Rung.TERMINATE, Rung.KILL]


def test_the_last_watch_obeys_the_platform_and_the_hard_end() -> None:
    child = Watched(ends_at=1e9, ends_on=Rung.KILL)
    child.terminate_at = 50.0
    assert watch(child)[:3] == [Rung.INTERRUPT, Rung.TERMINATE, Rung.KILL]
    assert child.now < 60
    assert watch(Watched(ends_at=1e9), stop_at=300) == [Rung.INTERRUPT]


def test_kills_for_want_of_memory_are_counted_by_the_first_file_that_tells(tmp_path: Path) -> None:
    absent, silent, group, kernel = (str(tmp_path / name) for name in ("absent", "silent", "group", "kernel"))
    (tmp_path / "silent").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill many\n")
    (tmp_path / "group").write_text("low 0\nmax 40\noom 3\noom_kill 2\noom_group_kill 0\n")
    (tmp_path / "kernel").write_text("nr_free_pages 1\noom_kill 7\n")
    assert memory_kills((absent, silent, group, kernel)) == 2
    assert memory_kills((absent, kernel)) == 7
    assert memory_kills((absent, silent)) is None
