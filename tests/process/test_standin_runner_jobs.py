"""What the stand-in runner does with a job: real processes, a broker on a real socket."""

import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.standin_broker import StandInBroker, running_broker
from tests.standin_runner import LISTENING, processes, started_runner


@pytest.fixture
def broker() -> Iterator[StandInBroker]:
    """A broker of its own for each test."""
    with running_broker() as running:
        yield running


def workflow(steps: str, *, head: str = "", job: str = "") -> str:
    """A workflow of one job with these steps (indented by six spaces)."""
    return f"on: push\n{head}jobs:\n  build:\n    runs-on: x\n{job}    steps:\n{steps}"


def ran(broker: StandInBroker, folder: Path, text: str, *, source: Path | None = None) -> dict[str, Any]:
    """Runs the one job of a workflow to its end; what was reported as completed."""
    broker.queue_job(text, source=None if source is None else str(source))
    with started_runner(folder, configuration=broker.jit_configuration()) as runner:
        assert runner.exit_code() == 0, runner.lines
    return broker.completion


def test_a_job_runs_from_listening_to_the_last_line(broker: StandInBroker, tmp_path: Path) -> None:
    """The lines, their order, and the calls are the real runner's."""
    broker.queue_job(workflow("      - run: echo hello\n"))
    configuration = broker.jit_configuration()
    with started_runner(
        tmp_path, configuration=configuration, variables={"EMULATOR_INSTANCE": "instance-9"}
    ) as runner:
        assert runner.exit_code() == 0
    expected = [
        "√ Connected to GitHub",
        "Current runner version: '2.337.0'",
        "Listening for Jobs",
        "Running job: build",
        "Job build completed with result: Succeeded",
        "√ Removed .credentials",
        "√ Removed .runner",
        "Runner listener exit with 0 return code, stop the service, no retry needed.",
        "Exiting runner...",
    ]
    assert [next(text for text in expected if text in line) for line in runner.lines if line] == expected
    runner.wait_for_line(LISTENING)
    assert [call.name for call in broker.calls if call.name not in {"message", "log", "renewjob"}] == [
        "token",
        "session",
        "acknowledge",
        "acquirejob",
        "completejob",
        "DELETE session",
    ]
    (session,) = broker.heard("session")
    assert session.headers["x-emulator-instance"] == "instance-9"
    assert session.headers["authorization"] == "Bearer runner-token"
    assert session.body["agent"]["name"] == "ci-cell1-abc"
    (acquired,) = broker.heard("acquirejob")
    assert acquired.body == {"jobMessageId": "request-1", "runnerOS": "Linux", "billingOwnerId": "owner"}
    assert {call.headers["authorization"] for call in broker.heard("renewjob")} == {"Bearer job-token-secret"}
    assert {call.query["status"] for call in broker.heard("message")} == {"Online", "Busy"}
    assert broker.completion["conclusion"] == "succeeded"
    assert "hello" in broker.log


def test_a_failing_step_fails_the_job_and_skips_the_rest(broker: StandInBroker, tmp_path: Path) -> None:
    """`if: failure()` and always() still run; the exit code of the runner stays 0."""
    steps = (
        "      - run: exit 3\n"
        "      - run: echo not-reached\n"
        "      - {run: echo on-failure, if: failure()}\n"
        "      - {run: echo in-any-case, if: always()}\n"
    )
    completion = ran(broker, tmp_path, workflow(steps))
    assert completion["conclusion"] == "failed"
    assert [step["conclusion"] for step in completion["stepResults"]] == [
        "failed",
        "skipped",
        "succeeded",
        "succeeded",
    ]
    assert "##[error]Process completed with exit code 3." in broker.log
    assert [note["message"] for note in completion["annotations"]] == ["Process completed with exit code 3."]


def test_steps_speak_to_later_steps_through_files(broker: StandInBroker, tmp_path: Path) -> None:
    """GITHUB_ENV, GITHUB_OUTPUT and GITHUB_PATH, with values of several lines."""
    steps = """
      - id: first
        run: |
          echo "COLOUR=blue" >> "$GITHUB_ENV"
          printf 'TEXT<<END\\none = 1\\ntwo\\nEND\\n' >> "$GITHUB_ENV"
          echo "number=42" >> "$GITHUB_OUTPUT"
          mkdir "$RUNNER_TEMP/tools"; printf '#!/bin/sh\\necho tool-ran\\n' > "$RUNNER_TEMP/tools/my-tool"
          chmod +x "$RUNNER_TEMP/tools/my-tool"; echo "$RUNNER_TEMP/tools" >> "$GITHUB_PATH"
          echo "# Summary" >> "$GITHUB_STEP_SUMMARY"
      - run: |
          test "$COLOUR" = blue
          test "$TEXT" = "$(printf 'one = 1\\ntwo')"
          test "${{ steps.first.outputs.number }}${{ env.COLOUR }}" = 42blue
          my-tool
"""
    completion = ran(
        broker, tmp_path, workflow(steps, job="    outputs: {answer: '${{ steps.first.outputs.number }}'}\n")
    )
    assert completion["conclusion"] == "succeeded", broker.log
    assert completion["outputs"] == {"answer": {"value": "42", "isSecret": False}}
    assert "tool-ran" in broker.log


def test_a_file_command_that_cannot_be_read_fails_its_step(broker: StandInBroker, tmp_path: Path) -> None:
    """A block without its end is named in the log."""
    completion = ran(broker, tmp_path, workflow("      - run: echo 'A<<END' >> $GITHUB_OUTPUT\n"))
    assert completion["conclusion"] == "failed"
    assert "Unable to process file command 'output' successfully." in broker.log


def test_env_of_workflow_job_and_step_are_laid_over_each_other(broker: StandInBroker, tmp_path: Path) -> None:
    """The narrower level wins; expressions see the result; the usual variables are there."""
    steps = """
      - env: {C: step, D: "${{ env.A }}-${{ matrix.n }}"}
        run: |
          echo "$A $B $C $D"; echo "$CI $GITHUB_ACTIONS $GITHUB_REPOSITORY $GITHUB_JOB $RUNNER_NAME"
          test "$PWD" = "$GITHUB_WORKSPACE"; test -s "$GITHUB_EVENT_PATH"
"""
    head = "env: {A: top, B: top, C: top}\n"
    job = "    strategy: {matrix: {n: [7]}}\n    env: {B: job, C: job}\n"
    completion = ran(broker, tmp_path, workflow(steps, head=head, job=job))
    assert completion["conclusion"] == "succeeded", broker.log
    assert "top job step top-7" in broker.log
    assert "true true acme/widgets build ci-cell1-abc" in broker.log


def test_no_step_sees_the_configuration(broker: StandInBroker, tmp_path: Path) -> None:
    """Neither in its environment nor on any command line of its ancestors, when it came by environment."""
    steps = """
      - run: |
          if env | grep -q JITCONFIG; then echo LEAK-ENV; fi
          pid=$PPID; tr '\\0' ' ' < /proc/$pid/cmdline; grep -q Runner.Worker /proc/$pid/comm && echo parent-is-worker
          if tr '\\0' '\\n' < /proc/$pid/environ | grep -q JITCONFIG; then echo LEAK-WORKER; fi
"""
    completion = ran(broker, tmp_path, workflow(steps))
    assert completion["conclusion"] == "succeeded"
    output = broker.log.partition("##[endgroup]")[2]
    assert "parent-is-worker" in output
    assert "LEAK" not in output


def test_shells_and_folders_are_chosen_by_step_then_defaults(broker: StandInBroker, tmp_path: Path) -> None:
    """Without a shell bash runs without pipefail; with `shell: bash` it runs with it."""
    steps = """
      - run: mkdir inner
        working-directory: .
        shell: sh
      - run: false | true; test -n "$BASH_VERSION"; test "${PWD##*/}" = inner
      - run: import os; assert os.path.basename(os.getcwd()) == "inner"
        shell: python
      - run: false | true
        shell: bash
        continue-on-error: true
        id: strict
      - run: test "${{ steps.strict.outcome }} ${{ steps.strict.conclusion }}" = "failure success"
"""
    job = "    defaults: {run: {working-directory: inner}}\n"
    completion = ran(broker, tmp_path, workflow(steps, job=job))
    assert completion["conclusion"] == "succeeded", broker.log


def test_a_folder_that_does_not_exist_fails_the_step(broker: StandInBroker, tmp_path: Path) -> None:
    """The message names the folder."""
    completion = ran(broker, tmp_path, workflow("      - {run: pwd, working-directory: nowhere}\n"))
    assert completion["conclusion"] == "failed"
    assert "nowhere'. No such file or directory" in broker.log


def test_secrets_and_masks_never_reach_the_log(broker: StandInBroker, tmp_path: Path) -> None:
    """A masked value is not reported as an output either."""
    steps = """
      - id: one
        run: |
          echo "::add-mask::hunter2"
          echo "the password is hunter2"; echo "token ${{ secrets.GITHUB_TOKEN }}"
          echo "word=hunter2" >> "$GITHUB_OUTPUT"
"""
    completion = ran(
        broker, tmp_path, workflow(steps, job="    outputs: {word: '${{ steps.one.outputs.word }}'}\n")
    )
    assert "the password is ***" in broker.log
    assert "token ***" in broker.log
    assert "job-token-secret" not in broker.log
    assert completion["outputs"] == {}


def test_workflow_commands_become_annotations(broker: StandInBroker, tmp_path: Path) -> None:
    """Commands between stop-commands and its token are plain text."""
    steps = """
      - run: |
          echo "::warning file=app.py,line=12::old%0Astyle"
          echo "::stop-commands::pause"; echo "::error::just text"; echo "::pause::"
          echo "::error::real"
"""
    completion = ran(broker, tmp_path, workflow(steps))
    assert completion["conclusion"] == "succeeded"
    notes = [(note["level"], note["message"], note["startLine"]) for note in completion["annotations"]]
    assert notes == [("warning", "old\nstyle", 12), ("failure", "real", 1)]
    assert "::error::just text" in broker.log


def test_checkout_copies_the_source_with_its_repository(broker: StandInBroker, tmp_path: Path) -> None:
    """Links stay links; the source itself is not touched."""
    source = tmp_path / "source"
    (source / ".git").mkdir(parents=True)
    (source / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (source / "app.txt").write_text("content")
    (source / "link").symlink_to("app.txt")
    steps = (
        "      - uses: actions/checkout@v4\n"
        "      - run: test -f .git/HEAD && test -L link && test $(cat link) = content && rm app.txt\n"
        "      - run: test -n \"${{ hashFiles('.git/*') }}\" && test -z \"${{ hashFiles('app.txt') }}\"\n"
    )
    completion = ran(broker, tmp_path, workflow(steps), source=source)
    assert completion["conclusion"] == "succeeded", broker.log
    assert (source / "app.txt").read_text() == "content"


@pytest.mark.parametrize(
    ("action", "result", "said"),
    [
        ("actions/setup-node@v4", "succeeded", "does nothing in the stand-in runner"),
        ("actions/cache/save@v4", "succeeded", "does nothing in the stand-in runner"),
        ("actions/checkout@v4", "failed", "the push named no source folder"),
        ("docker/build-push-action@v6", "failed", "cannot run 'docker/build-push-action'"),
        ("./local-action", "failed", "cannot run './local-action'"),
        ("docker://alpine:3", "failed", "no docker"),
    ],
)
def test_actions_do_what_they_can_and_say_what_not(
    broker: StandInBroker, tmp_path: Path, action: str, result: str, said: str
) -> None:
    """Only checkout does anything; what cannot run fails its step with a reason."""
    completion = ran(broker, tmp_path, workflow(f"      - uses: {action}\n"))
    assert completion["conclusion"] == result
    assert said in broker.log


def test_a_step_that_takes_too_long_fails(broker: StandInBroker, tmp_path: Path) -> None:
    """SIGINT first: a step that minds it may tidy up."""
    steps = """
      - timeout-minutes: 0.01
        run: trap 'echo tidied; exit 1' INT; echo started; while true; do sleep 0.1; done
      - {run: echo afterwards, if: always()}
"""
    completion = ran(broker, tmp_path, workflow(steps))
    assert completion["conclusion"] == "failed"
    assert "has timed out after 0.01 minutes." in broker.log
    assert "tidied" in broker.log
    assert [step["conclusion"] for step in completion["stepResults"]] == ["failed", "succeeded"]


def test_a_job_that_takes_too_long_is_cancelled(broker: StandInBroker, tmp_path: Path) -> None:
    """Steps that say always() still run."""
    steps = "      - run: exec sleep 60\n      - {run: echo last-words, if: always()}\n"
    completion = ran(broker, tmp_path, workflow(steps, job="    timeout-minutes: 0.01\n"))
    assert completion["conclusion"] == "canceled"
    assert "exceeded the maximum execution time of 0.01 minutes" in broker.log
    assert "last-words" in broker.log


def test_processes_left_behind_end_with_the_job(broker: StandInBroker, tmp_path: Path) -> None:
    """Even one that has made a session of its own."""
    marker = tmp_path / "pid"
    steps = f"      - run: setsid sleep 300 > /dev/null 2>&1 & echo $! > {marker}\n"
    completion = ran(broker, tmp_path, workflow(steps))
    assert completion["conclusion"] == "succeeded"
    assert "Terminate orphan process" in broker.log
    left_behind = int(marker.read_text())
    assert left_behind not in dict(processes())


def test_an_expression_that_fails_at_run_time_fails_its_step(broker: StandInBroker, tmp_path: Path) -> None:
    """The log names the step and the cause."""
    completion = ran(broker, tmp_path, workflow("      - {name: Parse, run: \"echo ${{ fromJSON('') }}\"}\n"))
    assert completion["conclusion"] == "failed"
    assert "The step 'Parse' cannot be run: fromJSON: '' is not JSON" in broker.log


def test_a_runner_costs_little_to_start(broker: StandInBroker, tmp_path: Path) -> None:
    """Sixty start at once in a demo on two cores: below 0.4 s of processor time from the start to the last line."""
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as warm_up:
        warm_up.wait_for_line(LISTENING)
        warm_up.signal(signal.SIGTERM)
        warm_up.exit_code()
    before = _processor_seconds()
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        runner.wait_for_line(LISTENING)
        runner.signal(signal.SIGTERM)
        runner.exit_code()
    assert _processor_seconds() - before < 0.4


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
