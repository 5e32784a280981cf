"""What a runner prints: whole lines, at once, to a reader that may have gone."""

import contextlib
import os
import time

from emulator.runner.contract import PRINT_LOG_VARIABLE, is_yes


def say(line: str) -> None:
    """A line on standard output."""
    _write(1, line)


def complain(line: str) -> None:
    """A line on standard error, where the real runner's errors go."""
    _write(2, line)


def stamped(line: str) -> str:
    """A line with the time in .NET's "u" format, as the real runner puts it before some of its lines."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ: ", time.gmtime()) + line


def succeed(line: str) -> None:
    """A line that reports something done."""
    say(f"√ {line}")


def _write(descriptor: int, line: str) -> None:
    with contextlib.suppress(
        OSError
    ):  # a runner whose reader has gone goes on with its job, as the real one does
        os.write(descriptor, line.encode("utf-8", "replace") + b"\n")


def trace(program: str, line: str) -> None:
    """A line for those who set ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT; `program` is RUNNER or WORKER."""
    if is_yes(os.environ.get(PRINT_LOG_VARIABLE)):
        moment = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        say(f"[{program} {moment} INFO {program.capitalize()}] {line}")
