"""The runner's work folder on a volume: whose it is, and that a job finds nothing of an earlier one."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner_agent.account import Account
from runner_agent.contract import ExitReason
from runner_agent.errors import SettingsError
from runner_agent.log import Journal
from runner_agent.process_tree import all_below
from runner_agent.work_folder import prepare_work_folder
from tests.process.agent_process import running_agent, until
from tests.process.stub_scaler import NOTHING, StubScaler

NOBODY = pwd.getpwnam("nobody")
ONLY_WHAT_THE_PAGE_NAMES = ("setpriv", "--bounding-set=-all,+setuid,+setgid,+kill,+chown")
"""The rights of docs/how-to/images.md: root without them passes no folder that others have closed."""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another account")


@pytest.fixture
def volume() -> Iterator[Path]:
    """A folder as a volume is: root's, and every account may come as far as to it."""
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        folder = Path(parent, "_work")
        folder.mkdir(mode=0o755)
        yield folder


def account(*, switch: bool) -> Account:
    entry = NOBODY if switch else pwd.getpwuid(os.geteuid())
    return Account(uid=entry.pw_uid, gid=entry.pw_gid, groups=(), name=entry.pw_name, home="/", switch=switch)


def not_asked(seconds: float) -> bool:
    """Nobody wants the agent to leave."""
    time.sleep(seconds)
    return False


def prepare(
    folder: Path,
    *,
    switch: bool,
    asked_to_leave: Callable[[float], bool] = not_asked,
) -> tuple[bool, list[str]]:
    """Whether it is ready, and what was logged meanwhile."""
    lines: list[str] = []
    ready = prepare_work_folder(
        str(folder),
        account(switch=switch),
        asked_to_leave=asked_to_leave,
        clock=time.monotonic,
        journal=Journal(write=lambda line: lines.append(line.decode()), wall_clock=time.time),
    )
    return ready, lines


def a_job_leaves(folder: Path, script: str) -> None:
    """What a step's shell does there as the runner's account, in a folder that has become that account's."""
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    done = subprocess.run(
        ["sh", "-euc", script],
        cwd=folder,
        user=NOBODY.pw_uid,
        group=NOBODY.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@as_root
def test_the_volume_becomes_the_runners_and_what_an_earlier_job_left_is_gone(volume: Path) -> None:
    left = volume / "widgets"
    left.mkdir()
    (left / ".git-credentials").write_text("of another repository")
    for path in (left / ".git-credentials", left):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    (volume / "lost+found").mkdir(mode=0o700)
    prepare(volume, switch=True)
    assert [path.name for path in volume.iterdir()] == ["lost+found"]
    assert (volume.stat().st_uid, volume.stat().st_gid) == (NOBODY.pw_uid, NOBODY.pw_gid)


@as_root
def test_what_cannot_be_removed_is_refused(volume: Path) -> None:
    """A folder of root's with something in it: root's own hand would remove it, the runner's account cannot."""
    (volume / "roots").mkdir(mode=0o700)
    (volume / "roots" / "file").touch()
    with pytest.raises(SettingsError, match="'roots' of an earlier job"):
        prepare(volume, switch=True)


MANY = "seq -f %0200.0f 12000 | xargs touch"
"""More than fits into the arguments of one program."""
DEEP = 'n=$(printf %0200d 0); mkdir d; for i in $(seq 50); do mkdir "$n"; mv d "$n/d"; mv "$n" d; mv d/d "d/$n"; done'
"""Deeper than a path may be long."""
LEFT = {
    "read-only": "mkdir -p go/pkg/mod && touch go/pkg/mod/file && chmod -R a-w go",
    "closed": "mkdir -p x/y/z && touch x/y/z/file && chmod 0 x/y/z x/y x",
    "unreadable": "mkdir x && touch x/file && chmod 0 x/file && chmod 0444 x",
    "words": "mkdir -- -rf && touch -- -rf/-delete '-exec' '!' '(' '* ?' && printf '' > \"$(printf 'a\\nb')\"",
    "links": "ln -s / root; ln -s . itself; ln -s nowhere dangling; mkdir x; ln -s /etc x/etc; chmod 0 x",
    "lost+found of its own": "mkdir lost+found; touch lost+found/credentials; chmod 0700 lost+found",
    "many": MANY,
    "deep": DEEP,
    "the folder closed": "mkdir x && touch x/file && chmod 0 x && chmod 0 .",
    "the folder read-only": "chmod 0555 .",
}


@as_root
@pytest.mark.parametrize("script", LEFT.values(), ids=LEFT.keys())
def test_whatever_a_job_has_left_is_gone(volume: Path, script: str) -> None:
    """Ordinary leftovers and hostile ones: a folder that could not be emptied would cost the instance every further job."""
    a_job_leaves(volume, script)
    assert prepare(volume, switch=True) == (True, [])
    assert list(volume.iterdir()) == []
    assert volume.stat().st_mode & 0o777 == 0o755


@as_root
def test_what_links_point_to_is_neither_removed_nor_opened(volume: Path) -> None:
    """Even where the runner's account could: what a link points to is not in the folder."""
    outside = volume.parent / "outside"
    outside.mkdir()
    a_job_leaves(outside, "mkdir closed; touch closed/file file; chmod 0 closed; chmod 0400 file")
    a_job_leaves(
        volume, f"mkdir x; ln -s {outside} x/folder; ln -s {outside}/file .; ln -s {outside} .; chmod 0 x"
    )
    prepare(volume, switch=True)
    assert list(volume.iterdir()) == []
    assert [(path.name, path.stat().st_mode & 0o777) for path in sorted(outside.iterdir())] == [
        ("closed", 0),
        ("file", 0o400),
    ]


@as_root
def test_emptying_is_told_and_given_up_when_it_takes_for_ever(volume: Path) -> None:
    """A stopped process stands for one whose storage does not answer, a clock that leaps a minute for the time."""
    a_job_leaves(volume, "seq 3000 | xargs touch")
    minutes = iter(range(100))
    lines: list[str] = []

    def stopped(_: float) -> bool:
        for process in all_below(os.getpid()):
            os.kill(process.pid, signal.SIGSTOP)
        return False

    with pytest.raises(SettingsError) as caught:
        prepare_work_folder(
            str(volume),
            account(switch=True),
            asked_to_leave=stopped,
            clock=lambda: next(minutes) * 60.0,
            journal=Journal(write=lambda line: lines.append(line.decode()), wall_clock=time.time),
        )
    assert "not emptied after 600 s; too much is in it, or its storage does not answer; mount an" in str(
        caught.value
    )
    assert len(lines) == 9
    assert "still being removed" in lines[0]
    assert all_below(os.getpid()) == []


@as_root
def test_an_instance_that_is_taken_away_meanwhile_waits_for_nothing(volume: Path) -> None:
    a_job_leaves(volume, "seq 3000 | xargs touch")
    assert prepare(volume, switch=True, asked_to_leave=lambda _: True)[0] is False


@as_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv takes the agent's rights away here")
def test_the_rights_that_the_page_names_are_enough_to_empty_it(volume: Path) -> None:
    """Root's right to pass any folder may be missing; the folder itself was closed by a job."""
    a_job_leaves(volume, "mkdir -p x/y && chmod 0 x/y x .")
    settings = {
        "RUNNER_POOL_WORK_FOLDER": str(volume),
        "RUNNER_POOL_RUNNER_USER": NOBODY.pw_name,
        "RUNNER_POOL_ALLOW_SAME_USER": "no",
    }
    with StubScaler().serving() as scaler:
        scaler.defaults["park"] = NOTHING
        with running_agent(
            scaler, volume.parent, settings=settings, before=ONLY_WHAT_THE_PAGE_NAMES
        ) as agent:
            until(lambda: scaler.of("park") or agent.process.poll() is not None, "the agent asks for work")
            assert scaler.of("park"), agent.messages
            assert list(volume.iterdir()) == []
            agent.terminate()
            assert agent.wait() == ExitReason.STOPPED_PARKED.value


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    prepare(tmp_path / "a" / "_work", switch=False)
    assert (tmp_path / "a" / "_work").is_dir()


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "_work").symlink_to(tmp_path)
    with pytest.raises(SettingsError, match="RUNNER_POOL_WORK_FOLDER"):
        prepare(tmp_path / "_work", switch=False)


def test_the_agent_prepares_it_before_it_asks_for_work(tmp_path: Path) -> None:
    folder = tmp_path / "_work"
    folder.mkdir()
    (folder / "left").touch()
    with StubScaler().serving() as scaler:
        scaler.defaults["park"] = NOTHING
        settings = {"RUNNER_POOL_WORK_FOLDER": str(folder)}
        with running_agent(scaler, tmp_path, settings=settings) as agent:
            scaler.wait_for("park")
            assert list(folder.iterdir()) == []
            agent.terminate()
            assert agent.wait() == ExitReason.STOPPED_PARKED.value


def test_a_relative_path_is_a_wrong_setting(tmp_path: Path) -> None:
    with (
        StubScaler().serving() as scaler,
        running_agent(scaler, tmp_path, settings={"RUNNER_POOL_WORK_FOLDER": "_work"}) as agent,
    ):
        assert agent.wait() == ExitReason.BAD_SETTINGS.value
