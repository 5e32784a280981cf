"""What a line of the runner's output means, and how lines come out of a stream."""

from collections.abc import Iterable

import pytest

from runner_agent.lifecycle.events import (
    JobCompleted,
    JobStarted,
    RunnerDeprecated,
    RunnerLine,
    RunnerListening,
    RunnerRemarked,
    WorkerEnded,
)
from runner_agent.runner_log import event_of
from runner_agent.runner_output import lines_of

TIME = "2026-09-16 15:14:46Z: "
GONE = "The runner no longer exists on the server. Cleaning up local configuration."
TOO_OLD = "An error occurred: Runner version v2.300.0 is deprecated and cannot receive messages."


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (f"{TIME}Listening for Jobs", RunnerListening()),
        (f"{TIME}Running job: build (3.11)", JobStarted(job="build (3.11)")),
        (f"{TIME}Job build completed with result: Succeeded", JobCompleted(job="build", result="Succeeded")),
        (f"{TIME}Job a: b completed with result: Failed\r", JobCompleted(job="a: b", result="Failed")),
        (
            f"{TIME}Job x completed with result: y completed with result: Canceled",
            JobCompleted(job="x completed with result: y", result="Canceled"),
        ),
        (GONE, RunnerRemarked(remark=GONE)),
        (TOO_OLD, RunnerDeprecated()),
        ("An error occurred: Runner not found", RunnerRemarked(remark="An error occurred: Runner not found")),
        (
            f"{TIME}Runner connect error: x. Retrying until reconnected.",
            RunnerRemarked(remark="Runner connect error: x. Retrying until reconnected."),
        ),
        (
            "A session for this runner already exists.",
            RunnerRemarked(remark="A session for this runner already exists."),
        ),
        (
            "[RUNNER 2026-09-16 15:14:48Z INFO JobDispatcher] Worker finished for job 5d0a-567d. Code: 137",
            WorkerEnded(code=137),
        ),
        (
            "Exiting with unknown error code: 137",
            RunnerRemarked(remark="Exiting with unknown error code: 137"),
        ),
    ],
)
def test_the_runners_lines_are_understood(line: str, event: RunnerLine) -> None:
    assert event_of(line) == event


@pytest.mark.parametrize(
    "line",
    [
        "",
        "√ Connected to GitHub",
        "Current runner version: '2.336.0'",
        f"{TIME}Not Listening for Jobs",
        f"{TIME}Job build completed with result: Perhaps",
        f"{TIME}Job build completed",
        "echo Running job: x",
        "√ Removed .runner",
        "[WORKER 2026-09-16 15:14:48Z INFO Worker] Worker finished for job 5d0a. Code: 137",
        "[RUNNER 2026-09-16 15:14:48Z INFO JobDispatcher] Worker finished for job 5d0a. Code: 13700000",
    ],
)
def test_other_lines_mean_nothing(line: str) -> None:
    assert event_of(line) is None


def test_a_remark_cannot_grow_without_bound() -> None:
    event = event_of("An error occurred: " + "x" * 10_000)
    assert isinstance(event, RunnerRemarked)
    assert len(event.remark) == 300


def lines(pieces: Iterable[bytes]) -> list[str]:
    """The lines of a stream that comes in these pieces."""
    rest = iter([*pieces, b""])
    return list(lines_of(lambda: next(rest)))


def test_lines_are_put_together_from_pieces() -> None:
    assert lines([b"one\ntw", b"o\r\n", b"\xe2\x88", b"\x9a three"]) == ["one", "two", "√ three"]


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    got = lines([b"x" * 60_000] * 10 + [b"\nnext\n"])
    assert max(map(len, got)) <= 130_000
    assert sum(map(len, got)) == 600_004
    assert got[-1] == "next"


def test_bytes_that_are_no_text_do_not_stop_the_reader() -> None:
    assert lines([b"\xff\xfe\n", b"after\n"]) == ["\ufffd\ufffd", "after"]
