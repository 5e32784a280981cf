"""The runner's work folder on a volume: whose it is, and that a job finds nothing of an earlier one."""

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner_agent.account import Account
from runner_agent.contract import ExitReason
from runner_agent.errors import SettingsError
from runner_agent.work_folder import prepare_work_folder
from tests.process.agent_process import running_agent
from tests.process.stub_scaler import NOTHING, StubScaler

NOBODY = pwd.getpwnam("nobody")
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


@as_root
def test_the_volume_becomes_the_runners_and_what_an_earlier_job_left_is_gone(volume: Path) -> None:
    left = volume / "widgets"
    left.mkdir()
    (left / ".git-credentials").write_text("of another repository")
    for path in (left / ".git-credentials", left):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    (volume / "lost+found").mkdir(mode=0o700)
    prepare_work_folder(str(volume), account(switch=True))
    assert [path.name for path in volume.iterdir()] == ["lost+found"]
    assert (volume.stat().st_uid, volume.stat().st_gid) == (NOBODY.pw_uid, NOBODY.pw_gid)


@as_root
def test_what_cannot_be_removed_is_refused(volume: Path) -> None:
    """A folder of root's with something in it: root's own hand would remove it, the runner's account cannot."""
    (volume / "roots").mkdir(mode=0o700)
    (volume / "roots" / "file").touch()
    with pytest.raises(SettingsError, match="'roots' of an earlier job"):
        prepare_work_folder(str(volume), account(switch=True))


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    prepare_work_folder(str(tmp_path / "a" / "_work"), account(switch=False))
    assert (tmp_path / "a" / "_work").is_dir()


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "_work").symlink_to(tmp_path)
    with pytest.raises(SettingsError, match="RUNNER_POOL_WORK_FOLDER"):
        prepare_work_folder(str(tmp_path / "_work"), account(switch=False))


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
