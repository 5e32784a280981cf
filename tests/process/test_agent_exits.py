"""Every way out of the agent, with real processes at real time: exit code, last words, nothing left."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner_agent.contract import ExitReason
from tests.process.agent_process import running_agent, until
from tests.process.stub_scaler import HOLD, JIT, NOTHING, SECRET, Answer, StubScaler, grant, refusal

QUICK = {"linger_least": 0.2, "linger_most": 0.3, "backoff_first": 0.1, "backoff_most": 0.2}


@pytest.fixture
def scaler() -> Iterator[StubScaler]:
    """A scaler that offers at once."""
    with StubScaler().serving() as stub:
        yield stub


def ending(scaler: StubScaler) -> dict[str, object]:
    """The outcome that was told, with job and result."""
    body = scaler.wait_for("end").body
    return {"outcome": body["outcome"], "job": body["job"], "result": body["result"]}


def test_a_served_job_is_finished_and_every_stage_was_told(scaler: StubScaler, tmp_path: Path) -> None:
    """The ordinary life; the long pauses let each report go out before the next one makes it needless."""
    steps = ("listen", "sleep:0.4", "job:build", "sleep:0.4", "complete:Succeeded", "sleep:0.4")
    with running_agent(scaler, tmp_path, *steps) as agent:
        assert agent.wait() == ExitReason.FINISHED.value
    assert scaler.states() == ["starting", "listening", "running", "completed"]
    assert [request.body["seq"] for request in scaler.of("events")] == [1, 2, 3, 4]
    assert ending(scaler) == {"outcome": "finished", "job": "build", "result": "Succeeded"}
    assert agent.runner_processes_left() == []


def test_a_failed_job_is_finished_too(scaler: StubScaler, tmp_path: Path) -> None:
    """The result is the job's affair."""
    steps = ("listen", "job:completed with result: x", "complete:Failed", "exit:1")
    with running_agent(scaler, tmp_path, *steps) as agent:
        assert agent.wait() == ExitReason.FINISHED.value
    assert ending(scaler)["result"] == "Failed"


def test_a_runner_that_had_no_job_was_unused(scaler: StubScaler, tmp_path: Path) -> None:
    """As when GitHub removes an idle registration: exit code 0 proves nothing."""
    remark = "say:The runner no longer exists on the server. Cleaning up local configuration."
    with running_agent(scaler, tmp_path, "listen", remark, "exit:0") as agent:
        assert agent.wait() == ExitReason.UNUSED.value
    assert ending(scaler)["outcome"] == "unused"
    assert "no longer exists" in scaler.wait_for("end").body["cause"]


def test_an_idle_runner_is_stopped_after_listen_max_once_no_job_waits(
    scaler: StubScaler, tmp_path: Path
) -> None:
    """Two replies that say zero allow it at listen_max; the runner had heard SIGTERM, as run.sh wants it."""
    scaler.defaults["start"] = grant(listen_max_seconds=1, heartbeat_seconds=0.2)
    scaler.defaults["events"] = Answer(status=200, body={"reply": "continue", "queued": 0})
    with running_agent(scaler, tmp_path, "obey", "listen", "forever") as agent:
        assert agent.wait() == ExitReason.UNUSED.value
    waited = scaler.wait_for("end").at - scaler.wait_for_state("listening").at
    assert 0.9 < waited < 1.9, waited
    assert ending(scaler)["outcome"] == "unused"


def test_an_idle_runner_gets_twice_listen_max_while_jobs_may_wait(scaler: StubScaler, tmp_path: Path) -> None:
    """`queued: null` is unknown, never zero."""
    scaler.defaults["start"] = grant(listen_max_seconds=0.8, heartbeat_seconds=0.2)
    with running_agent(scaler, tmp_path, "obey", "listen", "forever") as agent:
        assert agent.wait() == ExitReason.UNUSED.value
    waited = scaler.wait_for("end").at - scaler.wait_for_state("listening").at
    assert waited > 1.5, waited


def test_a_job_that_reaches_job_timeout_is_stopped(scaler: StubScaler, tmp_path: Path) -> None:
    """The runner cancels and says so: still timed out, not finished."""
    scaler.defaults["start"] = grant(job_timeout_seconds=0.8)
    with running_agent(scaler, tmp_path, "obey", "listen", "job:endless", "forever") as agent:
        assert agent.wait() == ExitReason.TIMED_OUT.value
    assert ending(scaler) == {"outcome": "timed_out", "job": "endless", "result": "Canceled"}


def test_the_hard_end_is_kept_even_by_a_runner_that_ignores_everything(
    scaler: StubScaler, tmp_path: Path
) -> None:
    """Nothing of the lease lives at its hard end."""
    scaler.defaults["start"] = grant(hard_end_in_seconds=11)
    with running_agent(scaler, tmp_path, "ignore", "listen", "job:endless", "daemon", "forever") as agent:
        assert agent.wait(within=20) == ExitReason.TIMED_OUT.value
        assert agent.runner_processes_left() == []
    lasted = scaler.wait_for("end").at - scaler.wait_for("start").at
    assert lasted < 11, lasted


def test_a_runner_that_dies_in_the_middle_of_its_job_is_lost(scaler: StubScaler, tmp_path: Path) -> None:
    """Out of memory, for instance: the worker it leaves behind is ended before `end` is said."""
    with running_agent(scaler, tmp_path, "listen", "job:build", "die") as agent:
        assert agent.wait() == ExitReason.LOST.value
        assert agent.runner_processes_left() == []
    assert ending(scaler) == {"outcome": "lost", "job": "build", "result": None}


def test_a_forged_completion_does_not_end_a_job(scaler: StubScaler, tmp_path: Path) -> None:
    """The line is there, the worker too: the job goes on, and what counts is the true line."""
    go_on = tmp_path / "go-on"
    steps = ("listen", "job:build", "forge:Succeeded", f"wait_for:{go_on}", "complete:Failed")
    timing = {"completion_grace": 0.3, "look_again": 0.1}
    with running_agent(scaler, tmp_path, *steps, timing=timing) as agent:
        until(lambda: any("result: Succeeded" in line for line in agent.messages), "the forged line was read")
        # Ten looks at the process table and three graces later nothing has been said or stopped.
        with pytest.raises(AssertionError, match="no such 'end' request"):
            scaler.wait_for("end", within=1.0)
        assert "completed" not in scaler.states()
        assert not any("stopping the runner" in message for message in agent.messages)
        go_on.touch()
        assert agent.wait() == ExitReason.FINISHED.value
    assert ending(scaler)["result"] == "Failed"


def test_a_forged_completion_before_a_violent_death_is_still_lost(scaler: StubScaler, tmp_path: Path) -> None:
    """The worker lived until the runner died, so the line was a lie."""
    with running_agent(scaler, tmp_path, "listen", "job:build", "forge:Succeeded", "die") as agent:
        assert agent.wait() == ExitReason.LOST.value


def test_a_runner_that_does_not_end_after_its_job_is_stopped(scaler: StubScaler, tmp_path: Path) -> None:
    """The grace after completion, shortened."""
    steps = ("listen", "job:build", "complete:Succeeded", "forever")
    with running_agent(scaler, tmp_path, *steps, timing={"completion_grace": 0.3}) as agent:
        assert agent.wait() == ExitReason.FINISHED.value
    scaler.wait_for_state("completed")
    assert ending(scaler)["outcome"] == "finished"


def test_what_a_job_leaves_running_is_ended_before_the_lease(scaler: StubScaler, tmp_path: Path) -> None:
    """A daemon that left session and family is still below us, and is gone when `end` arrives."""
    left_at_end: list[list[int]] = []
    steps = ("listen", "job:build", "ignore", "daemon", "complete:Succeeded", "exit:0")
    with running_agent(scaler, tmp_path, *steps) as agent:
        scaler.wait_for("end")
        left_at_end.append(agent.runner_processes_left())
        assert agent.wait() == ExitReason.FINISHED.value
        assert len(agent.runner_pids()) == 3
    assert left_at_end == [[]]


@pytest.mark.parametrize(
    "steps",
    [
        ("exit:7",),
        ("say:An error occurred: Runner version v2.300.0 is deprecated and cannot receive messages.",),
    ],
    ids=["code 7", "the line"],
)
def test_a_deprecated_runner_is_named_as_such(
    scaler: StubScaler, tmp_path: Path, steps: tuple[str, ...]
) -> None:
    """The only exit code that proves something, or the runner's own words."""
    with running_agent(scaler, tmp_path, *steps, timing=QUICK) as agent:
        assert agent.wait() == ExitReason.RUNNER_DEPRECATED.value
    assert ending(scaler)["outcome"] == "unused"
    assert scaler.wait_for("end").body["word"] == "runner_deprecated"


def test_a_runner_that_ends_before_it_listens_has_failed(scaler: StubScaler, tmp_path: Path) -> None:
    """Its own words become the cause."""
    steps = ("say:An error occurred: Runner not found", "exit:1")
    with running_agent(scaler, tmp_path, *steps, timing=QUICK) as agent:
        assert agent.wait() == ExitReason.RUNNER_FAILED.value
    assert "Runner not found" in scaler.wait_for("end").body["cause"]


def test_a_runner_that_never_listens_has_failed(scaler: StubScaler, tmp_path: Path) -> None:
    """It is stopped like an idle one."""
    scaler.defaults["start"] = grant(listen_max_seconds=0.3)
    with running_agent(scaler, tmp_path, "forever", timing=QUICK) as agent:
        assert agent.wait() == ExitReason.RUNNER_FAILED.value


def test_a_runner_that_cannot_be_started_has_failed(scaler: StubScaler, tmp_path: Path) -> None:
    """No such program: the lease is given back at once."""
    with running_agent(scaler, tmp_path, command=["/no/such/run.sh"], timing=QUICK) as agent:
        assert agent.wait() == ExitReason.RUNNER_FAILED.value
    assert "could not be started" in scaler.wait_for("end").body["cause"]


def test_a_retired_boot_leaves_but_not_at_once(scaler: StubScaler, tmp_path: Path) -> None:
    """A fresh container would come at once; the pause keeps that from being a fast loop."""
    scaler.defaults["park"] = refusal(410, "boot_retired")
    timing = {"linger_least": 0.5, "linger_most": 0.6}
    with running_agent(scaler, tmp_path, timing=timing) as agent:
        asked_at = scaler.wait_for("park").at
        assert agent.wait() == ExitReason.RETIRED.value
        until(lambda: agent.process.returncode is not None, "the agent has left")
    assert scaler.of("start") == []
    assert scaler.of("park")[-1].at == asked_at


def test_a_long_parked_instance_makes_room(scaler: StubScaler, tmp_path: Path) -> None:
    """max_lifetime, even with a long poll under way."""
    scaler.defaults["park"] = NOTHING
    with running_agent(scaler, tmp_path, settings={"RUNNER_POOL_MAX_LIFETIME": "1s"}) as agent:
        assert agent.wait(within=5) == ExitReason.MAX_LIFETIME.value


def test_a_held_instance_asks_again_until_it_may_exit(scaler: StubScaler, tmp_path: Path) -> None:
    """`hold` is revocable; the outcome stays what it was."""
    scaler.defaults["start"] = grant(heartbeat_seconds=0.2)
    scaler.scripts["end"] = [HOLD, HOLD]
    with running_agent(scaler, tmp_path, "listen", "job:build", "complete:Succeeded") as agent:
        assert agent.wait() == ExitReason.FINISHED.value
    assert [request.body["outcome"] for request in scaler.of("end")] == ["finished"] * 3
    gaps = [
        later.at - sooner.at for sooner, later in zip(scaler.of("end"), scaler.of("end")[1:], strict=False)
    ]
    assert all(0.15 < gap < 1 for gap in gaps), gaps


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_held_instance_that_is_asked_to_leave_has_lost_nothing(
    scaler: StubScaler, tmp_path: Path, number: signal.Signals
) -> None:
    """The cell is closing: this is its SIGTERM."""
    scaler.defaults["end"] = HOLD
    with running_agent(scaler, tmp_path, "listen", "job:build", "complete:Succeeded") as agent:
        until(lambda: any("-> holding" in message for message in agent.messages), "the agent holds")
        agent.process.send_signal(number)
        assert agent.wait(within=1) == ExitReason.STOPPED_PARKED.value


def test_end_is_repeated_until_it_is_heard(scaler: StubScaler, tmp_path: Path) -> None:
    """A refused and a failed `end` are no end."""
    scaler.scripts["end"] = [refusal(503, "unavailable"), refusal(401, "bad_identity")]
    with running_agent(scaler, tmp_path, "listen", "job:b", "complete:Succeeded", timing=QUICK) as agent:
        assert agent.wait() == ExitReason.FINISHED.value
    assert len(scaler.of("end")) == 3


def test_an_unknown_lease_at_the_end_means_leave(scaler: StubScaler, tmp_path: Path) -> None:
    """410: there is nothing to give back."""
    scaler.defaults["end"] = refusal(410, "unknown_lease")
    with running_agent(scaler, tmp_path, "listen", "job:b", "complete:Succeeded") as agent:
        assert agent.wait() == ExitReason.FINISHED.value


def test_a_fault_of_the_agent_lets_the_job_end_first(scaler: StubScaler, tmp_path: Path) -> None:
    """A bug of ours costs the report, never the job."""
    done = tmp_path / "done"
    steps = ("listen", "job:build", "sleep:1", f"environment:{done}", "complete:Succeeded")
    with running_agent(scaler, tmp_path, *steps, fault_at="JobStarted") as agent:
        assert agent.wait() == ExitReason.INTERNAL.value
        assert done.exists(), "the job was stopped"
        assert agent.runner_processes_left() == []
    faults = [entry for entry in agent.entries if entry["severity"] == "ERROR"]
    assert len(faults) == 1
    assert "a fault for the test" in faults[0]["message"]
    assert ending(scaler)["outcome"] == "lost"


def test_a_fault_while_parked_is_one_line_and_its_code(scaler: StubScaler, tmp_path: Path) -> None:
    """Nothing runs, so nothing is waited for."""
    with running_agent(scaler, tmp_path, fault_at="Offered") as agent:
        assert agent.wait(within=5) == ExitReason.INTERNAL.value
    assert scaler.of("start") == []


def test_wrong_settings_are_named_all_at_once_without_a_traceback(scaler: StubScaler, tmp_path: Path) -> None:
    """Variable, cause, remedy; one JSON line each."""
    settings = {"RUNNER_POOL_MAX_LIFETIME": "soon", "RUNNER_POOL_SCALER_URL": "", "RUNNER_POOL_CELL": ""}
    with running_agent(scaler, tmp_path, settings=settings) as agent:
        assert agent.wait(within=5) == ExitReason.BAD_SETTINGS.value
    errors = [entry["message"] for entry in agent.entries if entry["severity"] == "ERROR"]
    assert [message.partition(":")[0] for message in errors] == [
        "RUNNER_POOL_SCALER_URL",
        "RUNNER_POOL_CELL",
        "RUNNER_POOL_MAX_LIFETIME",
    ]
    assert not any("Traceback" in line for line in agent.lines)


def test_a_shared_account_is_refused(scaler: StubScaler, tmp_path: Path) -> None:
    """Unless it was allowed in so many words."""
    with running_agent(scaler, tmp_path, settings={"RUNNER_POOL_ALLOW_SAME_USER": "no"}) as agent:
        assert agent.wait(within=5) == ExitReason.SAME_USER.value
    assert scaler.requests == []


def test_a_lasting_mistake_leaves_slowly_on_cloud_run_but_at_once_on_sigterm(
    scaler: StubScaler, tmp_path: Path
) -> None:
    """The next container would say the same; the platform's own word is still obeyed at once."""
    settings = {"RUNNER_POOL_ALLOW_SAME_USER": "no", "CLOUD_RUN_WORKER_POOL": "linux-a1"}
    with running_agent(scaler, tmp_path, settings=settings) as agent:
        until(lambda: any("leaving: same_user" in line for line in agent.messages), "the reason was logged")
        assert agent.process.poll() is None
        agent.terminate()
        assert agent.wait(within=1) == ExitReason.SAME_USER.value


def test_no_secret_is_ever_logged(scaler: StubScaler, tmp_path: Path) -> None:
    """Not even when the runner's output holds it."""
    steps = ("listen", f"say:{JIT} and {SECRET}", "job:build", "complete:Succeeded")
    with running_agent(scaler, tmp_path, *steps) as agent:
        assert agent.wait() == ExitReason.FINISHED.value
    assert "*** and ***" in agent.messages
    assert not any(JIT in line or SECRET in line for line in agent.lines)


@pytest.mark.parametrize("secret", ["AAAA\nBBBB", "AAAABBBB\n"], ids=["in the middle", "at the end"])
def test_a_secret_with_a_line_break_is_a_wrong_setting_and_not_told(
    scaler: StubScaler, tmp_path: Path, secret: str
) -> None:
    """No caller could send it as it stands in the template."""
    with running_agent(scaler, tmp_path, settings={"RUNNER_POOL_CELL_SECRET": secret}) as agent:
        assert agent.wait() == ExitReason.BAD_SETTINGS.value
    assert any("RUNNER_POOL_CELL_SECRET: it holds white space" in message for message in agent.messages)
    assert not any("AAAA" in line or "BBBB" in line for line in agent.lines)
    assert scaler.requests == []
