"""The child programs of a demo with real processes: death noticed, nothing left; copies made by real git."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner_pool import errors
from runner_pool.demo import account
from runner_pool.demo.source_copy import copy_source
from runner_pool.process_table import Process, is_living, living_descendants
from runner_pool.program import Program
from runner_pool.world import World
from tests.emulator_process import eventually

STUBBORN = """
import pathlib, signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
pathlib.Path(sys.argv[1]).touch()
time.sleep(100)
"""
POLITE = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(100)"
# Starts a program as the demo does, says which, and then waits to be killed.
PARENT = """
import os, pathlib, sys, time
from runner_pool.program import Program
from runner_pool.world import World
folder = pathlib.Path(sys.argv[1])
command = [sys.executable, "-c", "import time; time.sleep(100)"]
program = Program("a child", command, env=os.environ, cwd=folder, log=folder / "log")
(folder / "pid.part").write_text(str(program.pid))
(folder / "pid.part").rename(folder / "pid")
time.sleep(100)
"""

Start = Callable[[str], Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a Python program and wait until it is ready; end what the test has left."""
    programs: list[Program] = []

    def started(source: str) -> Program:
        ready = tmp_path / f"ready-{len(programs)}"
        command = [sys.executable, "-c", source, str(ready)]
        program = Program("a program", command, env=os.environ, cwd=tmp_path, log=tmp_path / "log")
        programs.append(program)
        eventually(ready.exists, bool, what="the program is ready")
        return program

    yield started
    for program in programs:
        program.stop(grace_seconds=0.0)


def test_a_program_that_obeys_ends_by_sigterm(start: Start) -> None:
    program = start(POLITE)
    assert program.exit_code() is None
    program.require_alive()
    assert program.stop(grace_seconds=10.0) == -signal.SIGTERM
    assert program.stop(grace_seconds=10.0) == -signal.SIGTERM


def test_a_program_that_ignores_sigterm_is_killed_together_with_its_children(start: Start) -> None:
    program = start(STUBBORN)
    family = living_descendants(program.pid)
    assert len(family) == 1
    assert program.stop(grace_seconds=0.2) == -signal.SIGKILL
    eventually(
        lambda: [is_living(process) for process in family], lambda seen: not any(seen), what="all gone"
    )


def test_a_death_before_its_time_is_told_with_the_last_lines(start: Start) -> None:
    program = start("import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); sys.exit('out of paper')")
    eventually(program.exit_code, lambda code: code is not None, what="the program ends")
    with pytest.raises(errors.WorldError, match="exit code 1") as caught:
        program.require_alive()
    assert "out of paper" in caught.value.cause


def test_a_program_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    """The tether: SIGKILL leaves the parent no chance to clean up."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)]) as parent:
        pid_file = tmp_path / "pid"
        eventually(pid_file.exists, bool, what="the child was started")
        family = living_descendants(parent.pid)
        assert int(pid_file.read_text()) in [process.pid for process in family]
        parent.kill()
    eventually(
        lambda: [is_living(process) for process in family], lambda seen: not any(seen), what="all gone"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try another account")
def test_the_trial_of_an_account_tells_a_closed_folder_from_an_open_one(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    # Not that of the virtual environment, which finds our code by itself.
    assert account.try_out(Path(sys.executable).resolve(), closed, 60200) is not None
    fits = [python for python in account.available_pythons() if python.is_relative_to("/usr")]
    if fits:  # without a Python of the system there is no account that fits, as the first half has shown
        found = [account.try_out(python, account.code_folder(), 60200) for python in fits]
        assert None in found, found


def git(folder: Path, *arguments: str) -> str:
    """Run git with a name of its own and nobody's settings."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    command = ["git", *identity, "-C", str(folder), *arguments]
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a committed, a changed, an untracked, an ignored and a deleted file."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "config", "remote.origin.url", "https://user:token@example.com/r.git")
    for name in ("kept.txt", "changed.txt", "deleted.txt"):
        (folder / name).write_text("first")
    (folder / ".gitignore").write_text("ignored/\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    (folder / "changed.txt").write_text("second")
    (folder / "deleted.txt").unlink()
    (folder / "new.txt").write_text("new")
    (folder / "ignored").mkdir()
    (folder / "ignored" / "big").write_text("big")
    return folder


def test_a_copy_of_a_repository_is_its_working_tree_without_what_git_ignores(
    repository: Path, tmp_path: Path
) -> None:
    copied = copy_source(repository, tmp_path / "copy", group=None)
    names = sorted(path.name for path in copied.folder.iterdir())
    assert names == [".git", ".gitignore", "changed.txt", "kept.txt", "new.txt"]
    assert (copied.folder / "changed.txt").read_text() == "second"
    assert copied.with_git
    assert git(copied.folder, "status", "--porcelain") == git(repository, "status", "--porcelain")
    assert git(copied.folder, "log", "--format=%s") == "first\n"


def test_a_copy_knows_neither_the_original_nor_its_credentials(repository: Path, tmp_path: Path) -> None:
    copied = copy_source(repository, tmp_path / "copy", group=None)
    settings = (copied.folder / ".git" / "config").read_text()
    assert "token" not in settings
    assert str(repository) not in settings
    before = git(repository, "rev-parse", "HEAD")
    git(copied.folder, "commit", "--quiet", "--all", "--message", "in the copy")
    assert git(repository, "rev-parse", "HEAD") == before


def test_a_repository_without_a_commit_is_copied_too(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "--quiet")
    (repository / "a.txt").write_text("a")
    copied = copy_source(repository, tmp_path / "copy", group=None)
    assert (copied.folder / "a.txt").read_text() == "a"


def test_a_broken_repository_is_told_in_gits_words(tmp_path: Path) -> None:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    with pytest.raises(errors.SourceError, match="git cannot read") as caught:
        copy_source(tmp_path / "repository", tmp_path / "copy", group=None)
    assert "not a git repository" in caught.value.cause


# Starts a process that leaves session and parent behind, as a daemon does, and says which.
ESCAPE = """
import pathlib, subprocess, sys, time
escaped = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"], start_new_session=True)
path = pathlib.Path(sys.argv[1])
path.with_suffix(".part").write_text(str(escaped.pid))
path.with_suffix(".part").rename(path)
time.sleep(100)
"""


def test_a_process_that_outlives_the_world_is_an_error_that_names_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    folders = []

    def escape() -> None:
        with World.started(env=os.environ) as world:
            folders.append(world.folder)
            world.start("an escaper", [sys.executable, "-c", ESCAPE, str(pid_file)])
            eventually(pid_file.exists, bool, what="the process has escaped")

    try:
        with pytest.raises(errors.WorldError, match="1 process") as caught:
            escape()
        assert f"{pid_file.read_text()}: " in caught.value.cause
        assert not folders[0].exists()
    finally:
        if pid_file.exists():
            os.kill(int(pid_file.read_text()), signal.SIGKILL)


def test_an_interrupted_world_is_gone_with_its_folder() -> None:
    folders: list[Path] = []
    programs: list[Process] = []

    def interrupted() -> None:
        with World.started(env=os.environ) as world:
            folders.append(world.folder)
            programs.extend(living_descendants(os.getpid()))
            assert world.announcement.pid in [process.pid for process in programs]
            world.door.set_up_organization("acme", repository="widgets")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not folders[0].exists()
    assert [process for process in programs if is_living(process)] == []


def test_a_scaler_that_dies_is_noticed() -> None:
    def dying() -> None:
        with World.started(env=os.environ) as world:
            scaler = world.start("the scaler", [sys.executable, "-c", "raise SystemExit('no ink')"])
            eventually(scaler.exit_code, lambda code: code is not None, what="the scaler ends")
            world.require_alive()

    with pytest.raises(errors.WorldError, match="the scaler has ended before its time") as caught:
        dying()
    assert "no ink" in caught.value.cause
