"""What the runner gets to see of the agent, and how light the agent is."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner_agent.contract import ExitReason
from tests.process.agent_process import ROOT, AgentProcess, running_agent, until
from tests.process.stub_scaler import JIT, NOTHING, SECRET, StubScaler

MEMORY_MOST_KIB = 25 * 1024
OTHER_UID = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give the runner another account")


@pytest.fixture
def scaler() -> Iterator[StubScaler]:
    """A scaler that offers at once."""
    with StubScaler().serving() as stub:
        yield stub


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every account may write to, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


SHELL_RUNNER = """#!/bin/sh
echo "ids: $(id -u) $(id -g)"
echo "groups: $(id -G)"
echo "names: $USER $LOGNAME"
echo "home: $HOME"
can_open() { if (exec 3<"$1") 2>/dev/null; then echo open; else echo closed; fi; }
sleep 5 &
echo "environ of a child: $(can_open /proc/$!/environ)"
kill $!
echo "environ of the agent: $(can_open /proc/$PPID/environ)"
echo "memory of the agent: $(can_open /proc/$PPID/mem)"
echo "2026-09-16 15:14:46Z: Listening for Jobs"
echo "2026-09-16 15:14:47Z: Running job: b"
echo "2026-09-16 15:14:48Z: Job b completed with result: Succeeded"
"""


def shell_runner(folder: Path) -> str:
    """A runner that every account can start; this Python may lie in somebody's home."""
    runner = folder / "run.sh"
    runner.write_text(SHELL_RUNNER)
    runner.chmod(0o755)
    return str(runner)


def said(agent: AgentProcess, topic: str) -> str | None:
    """What the shell runner has said about a topic."""
    prefix = f"{topic}: "
    return next((line.removeprefix(prefix) for line in agent.messages if line.startswith(prefix)), None)


def test_the_runner_gets_its_configuration_and_nothing_of_the_agents_own(
    scaler: StubScaler, tmp_path: Path
) -> None:
    """By environment, never by argument; a session of its own."""
    seen = tmp_path / "seen"
    settings = {"RUNNER_POOL_SOMETHING_NEW": "x", "ANOTHER": "kept"}
    with running_agent(scaler, tmp_path, f"environment:{seen}", "exit:0", settings=settings) as agent:
        until(seen.exists, "the runner has written its environment")
        agent.terminate()
        agent.wait()
    got = json.loads(seen.read_text())
    environ = got["environ"]
    assert [name for name in environ if name.startswith("RUNNER_POOL_")] == []
    assert SECRET not in json.dumps(got)
    assert environ["ACTIONS_RUNNER_INPUT_JITCONFIG"] == JIT
    assert JIT not in " ".join(got["argv"])
    assert environ["RUNNER_MANUALLY_TRAP_SIG"] == "1"
    assert environ["ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE"] == "1"
    assert environ["ANOTHER"] == "kept"
    assert got["session"] is True


@as_root
def test_roots_agent_gives_the_runner_another_account_which_cannot_look_into_the_agent(
    scaler: StubScaler, shared: Path
) -> None:
    """uid, gid, groups, HOME, USER, LOGNAME; and /proc/PID/environ of the agent stays closed."""
    entry = pwd.getpwuid(OTHER_UID)
    settings = {"RUNNER_POOL_RUNNER_USER": entry.pw_name, "RUNNER_POOL_ALLOW_SAME_USER": "no"}
    with running_agent(scaler, shared, command=[shell_runner(shared)], settings=settings) as agent:
        assert agent.wait() == ExitReason.FINISHED.value, agent.lines
    assert said(agent, "ids") == f"{entry.pw_uid} {entry.pw_gid}"
    groups = [str(gid) for gid in os.getgrouplist(entry.pw_name, entry.pw_gid)]
    assert sorted((said(agent, "groups") or "").split()) == sorted(groups)
    assert said(agent, "names") == f"{entry.pw_name} {entry.pw_name}"
    assert said(agent, "environ of the agent") == "closed"
    assert said(agent, "memory of the agent") == "closed"


@as_root
def test_no_program_gives_the_runner_a_right_that_the_agent_has_not_given(
    scaler: StubScaler, shared: Path
) -> None:
    """A setuid program of root's, as an image or a package may bring it: without the agent's word it makes its caller root."""
    raised = shared / "id"
    shutil.copy(shutil.which("id") or "id", raised)
    raised.chmod(0o4755)
    alone = subprocess.run([raised, "-u"], user=OTHER_UID, capture_output=True, text=True, check=True)
    if alone.stdout.strip() != "0":
        pytest.skip("this machine itself lets no program gain rights here, so the test could not fail")
    runner = shared / "run.sh"
    runner.write_text(
        f'#!/bin/sh\necho "raised: $({raised} -u)"\necho "word: $(grep NoNewPrivs /proc/self/status | tr -d "[:space:]")"\n'
    )
    runner.chmod(0o755)
    settings = {"RUNNER_POOL_RUNNER_USER": "nobody", "RUNNER_POOL_ALLOW_SAME_USER": "no"}
    with running_agent(scaler, shared, command=[str(runner)], settings=settings) as agent:
        until(lambda: said(agent, "word"), "the runner has spoken")
    assert (said(agent, "raised"), said(agent, "word")) == (str(OTHER_UID), "NoNewPrivs:1")
    assert not any("no_new_privs" in message for message in agent.messages)


def test_a_kernel_that_cannot_forbid_new_privileges_is_told_of(scaler: StubScaler, tmp_path: Path) -> None:
    """And no reason to leave: the image has no such program, and on Cloud Run the platform forbids them."""
    scaler.defaults["park"] = NOTHING
    with running_agent(
        scaler, tmp_path, timing={"look_again": 1}, settings={"AGENT_PRCTL_LACKS": "38"}
    ) as agent:
        scaler.wait_for("park")
    (warning,) = [entry for entry in agent.entries if entry["severity"] == "WARNING"]
    assert "no_new_privs" in warning["message"]
    assert "take every such bit out of the image" in warning["message"]


@as_root
def test_a_bare_uid_needs_no_entry_and_never_gets_roots_group(scaler: StubScaler, shared: Path) -> None:
    """As images often do it."""
    settings = {"RUNNER_POOL_RUNNER_USER": "61234", "RUNNER_POOL_ALLOW_SAME_USER": "no"}
    with running_agent(scaler, shared, command=[shell_runner(shared)], settings=settings) as agent:
        assert agent.wait() == ExitReason.FINISHED.value, agent.lines
    assert said(agent, "ids") == "61234 61234"
    assert said(agent, "groups") == "61234"
    assert said(agent, "home") == str(shared)


@as_root
def test_an_unknown_account_is_a_wrong_setting(scaler: StubScaler, tmp_path: Path) -> None:
    """Named with its variable."""
    with running_agent(scaler, tmp_path, settings={"RUNNER_POOL_RUNNER_USER": "nosuch"}) as agent:
        assert agent.wait() == ExitReason.BAD_SETTINGS.value
    assert any("RUNNER_POOL_RUNNER_USER: there is no account 'nosuch'" in line for line in agent.messages)


@as_root
def test_root_as_the_runners_account_is_refused(scaler: StubScaler, tmp_path: Path) -> None:
    """Under its name as under its number."""
    settings = {"RUNNER_POOL_RUNNER_USER": "root", "RUNNER_POOL_ALLOW_SAME_USER": "no"}
    with running_agent(scaler, tmp_path, settings=settings) as agent:
        assert agent.wait() == ExitReason.SAME_USER.value


def test_even_a_runner_of_the_agents_own_account_cannot_open_its_environment(
    scaler: StubScaler, shared: Path
) -> None:
    """An agent that is not root has closed itself; allowing one account is still a weaker promise."""
    uid = OTHER_UID if os.geteuid() == 0 else None
    with running_agent(scaler, shared, command=[shell_runner(shared)], as_uid=uid) as agent:
        assert agent.wait() == ExitReason.FINISHED.value, agent.lines
    assert said(agent, "ids") == f"{uid or os.getuid()} {uid or os.getgid()}"
    assert said(agent, "environ of a child") == "open", "the probe itself must be able to see an open one"
    assert said(agent, "environ of the agent") == "closed"
    assert said(agent, "memory of the agent") == "closed"


def test_an_agent_that_is_not_root_equals_its_runner(scaler: StubScaler, shared: Path) -> None:
    """Whatever account is named: it could not change to it."""
    uid = OTHER_UID if os.geteuid() == 0 else None
    settings = {"RUNNER_POOL_RUNNER_USER": "daemon", "RUNNER_POOL_ALLOW_SAME_USER": "no"}
    with running_agent(scaler, shared, settings=settings, as_uid=uid) as agent:
        assert agent.wait() == ExitReason.SAME_USER.value


def test_a_parked_agent_is_small(scaler: StubScaler, tmp_path: Path) -> None:
    """Resident memory beside the runner, which needs all there is."""
    scaler.defaults["park"] = NOTHING
    with running_agent(scaler, tmp_path) as agent:
        scaler.wait_for("park")
        status = Path(f"/proc/{agent.process.pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    assert int(resident.split()[1]) < MEMORY_MOST_KIB, resident


def test_the_leased_path_uses_the_standard_library_only() -> None:
    """Every module that it loads is our own, or came with Python."""
    program = (
        "import json, sys; import runner_agent.main, runner_agent.registration.leased, "
        "runner_agent.registration.metadata; "
        "print(json.dumps({n: getattr(m, '__file__', None) for n, m in sys.modules.items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded: dict[str, str | None] = json.loads(done.stdout)
    foreign = {
        name: file
        for name, file in loaded.items()
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "__main__", "runner_agent"}
        or "site-packages" in (file or "")
    }
    assert foreign == {}
    assert not {"asyncio", "logging", "argparse", "sqlite3"} & loaded.keys(), (
        "these would cost every instance"
    )


def test_the_agent_answers_its_first_question_quickly(scaler: StubScaler, tmp_path: Path) -> None:
    """Processor time until parked, since a loaded machine says nothing about wall time."""
    scaler.defaults["park"] = NOTHING
    with running_agent(scaler, tmp_path) as agent:
        scaler.wait_for("park")
        fields = Path(f"/proc/{agent.process.pid}/stat").read_text().rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    assert seconds < 0.5, seconds
