"""A container that is started again on the file system of an earlier job: what its agent knows, says and does."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner_agent.contract import ExitReason
from tests.process.agent_process import AgentProcess, running_agent
from tests.process.stub_scaler import NOTHING, StubScaler

SERVED = ("listen", "job:build", "complete:Succeeded")
MARK, ALLOW = "RUNNER_POOL_USED_MARK", "RUNNER_POOL_ALLOW_USED_CONTAINER"


@pytest.fixture
def scaler() -> Iterator[StubScaler]:
    """A scaler that offers at once."""
    with StubScaler().serving() as stub:
        yield stub


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Where the agent's mark is to stand: in a folder of its own."""
    (tmp_path / "own").mkdir(mode=0o700)
    return tmp_path / "own" / "used"


def said(agent: AgentProcess, severity: str) -> list[str]:
    """The entries of one severity."""
    return [entry["message"] for entry in agent.entries if entry["severity"] == severity]


def serve_once(scaler: StubScaler, folder: Path, mark: Path) -> str:
    """One boot that serves a job; which one it was."""
    with running_agent(scaler, folder, *SERVED, settings={MARK: str(mark)}) as agent:
        assert agent.wait() == ExitReason.FINISHED.value
    assert said(agent, "ERROR") == []
    return str(agent.entries[-1]["logging.googleapis.com/labels"]["boot"])


def test_a_container_that_has_run_a_job_before_says_so_and_serves_all_the_same(
    scaler: StubScaler, tmp_path: Path, mark: Path
) -> None:
    """Each time, and always of the first one."""
    first = serve_once(scaler, tmp_path, mark)
    for _ in range(2):
        with running_agent(scaler, tmp_path, *SERVED, settings={MARK: str(mark)}) as agent:
            assert agent.wait() == ExitReason.FINISHED.value
        (error,) = said(agent, "ERROR")
        assert f"before (boot {first}), so it is not fresh" in error
        assert "Probably Cloud Run starts a container that has ended again" in error
        assert f"set {ALLOW}=no" in error


def test_where_it_is_not_allowed_a_used_container_asks_for_nothing(
    scaler: StubScaler, tmp_path: Path, mark: Path
) -> None:
    first = serve_once(scaler, tmp_path, mark)
    asked = len(scaler.requests)
    with running_agent(scaler, tmp_path, *SERVED, settings={MARK: str(mark), ALLOW: "no"}) as agent:
        assert agent.wait() == ExitReason.USED_CONTAINER.value
    (error,) = said(agent, "ERROR")
    assert first in error
    assert "after the cell was at zero are fresh" in error
    assert len(scaler.requests) == asked


def test_a_fresh_container_serves_where_used_ones_are_not_allowed(
    scaler: StubScaler, tmp_path: Path, mark: Path
) -> None:
    with running_agent(scaler, tmp_path, *SERVED, settings={MARK: str(mark), ALLOW: "no"}) as agent:
        assert agent.wait() == ExitReason.FINISHED.value
    assert [path.name for path in mark.parent.iterdir()] == [mark.name]
    assert mark.stat().st_mode & 0o777 == 0o600


def test_an_instance_that_was_only_parked_leaves_no_mark(
    scaler: StubScaler, tmp_path: Path, mark: Path
) -> None:
    """No job was there, so the container is as fresh as it was."""
    scaler.defaults["park"] = NOTHING
    with running_agent(scaler, tmp_path, settings={MARK: str(mark)}) as agent:
        scaler.wait_for("park")
        agent.terminate()
        assert agent.wait() == ExitReason.STOPPED_PARKED.value
    assert not mark.exists()


def test_the_mark_is_there_before_the_runner_is(scaler: StubScaler, tmp_path: Path, mark: Path) -> None:
    """A job that is killed with its container has left something behind as well."""
    command = ["sh", "-c", f"test -s {mark} && echo the mark is there; exit 1"]
    with running_agent(
        scaler, tmp_path, command=command, settings={MARK: str(mark)}, timing={"look_again": 0.2}
    ) as agent:
        agent.wait()
    assert "the mark is there" in agent.messages


def test_a_link_in_the_marks_place_is_not_written_through(
    scaler: StubScaler, tmp_path: Path, mark: Path
) -> None:
    mark.symlink_to(tmp_path / "elsewhere")
    with running_agent(scaler, tmp_path, *SERVED, settings={MARK: str(mark)}) as agent:
        assert agent.wait() == ExitReason.FINISHED.value
    assert not os.path.lexists(tmp_path / "elsewhere")
    assert any("cannot be noted or read there" in message for message in said(agent, "WARNING"))


def test_what_cannot_be_marked_is_told_and_served_unless_used_containers_are_forbidden(
    scaler: StubScaler, tmp_path: Path, mark: Path
) -> None:
    settings = {MARK: str(mark.parent / "missing" / "used")}
    with running_agent(scaler, tmp_path, *SERVED, settings=settings) as agent:
        assert agent.wait() == ExitReason.FINISHED.value
    (warning,) = said(agent, "WARNING")
    assert f"{MARK}: '{settings[MARK]}': that a job has run in this container cannot be noted" in warning
    asked = len(scaler.requests)
    with running_agent(scaler, tmp_path, *SERVED, settings={**settings, ALLOW: "no"}) as agent:
        assert agent.wait() == ExitReason.BAD_SETTINGS.value
    assert any(message.startswith(f"{MARK}: ") for message in said(agent, "ERROR"))
    assert len(scaler.requests) == asked
