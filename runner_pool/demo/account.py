"""Which account and which Python run the steps of the demo's jobs.

A demo started by root hands the steps to an account that owns nothing. That account must be able to run a
Python (a Python below /root is closed to it) and to read this code; both are tried out before anything
starts, with the Python of the demo and then with those of the system. I start trial processes, nothing else.
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import emulator

# A uid that no distribution hands out by default: below nobody (65534), above the range of adduser (59999).
_FIRST_FREE_UID = 60100
_TRIAL_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerAccount:
    """Who runs the steps, with which Python; `uid` is None where the steps run as the account of the demo."""

    uid: int | None
    python: Path
    code: Path
    explanation: str


Trial = Callable[[Path, Path, int], str | None]
"""(python, folder of the code, uid) -> None when that account can start the stand-in runner, else why not."""


def runner_account(
    *, effective_uid: int, pythons: Iterable[Path], code: Path, taken_uids: frozenset[int], trial: Trial
) -> tuple[RunnerAccount | None, tuple[str, ...]]:
    """Choose the account: its own for a user, a free uid for root.

    Returns it with the failed trials, one line each; None when root's every trial failed.
    """
    candidates = tuple(pythons)
    if effective_uid != 0:
        explanation = "the steps run as your own account, since only root can choose another"
        return RunnerAccount(uid=None, python=candidates[0], code=code, explanation=explanation), ()
    uid = next(uid for uid in range(_FIRST_FREE_UID, 65000) if uid not in taken_uids)
    failures: list[str] = []
    for python in candidates:
        failure = trial(python, code, uid)
        if failure is None:
            explanation = f"you are root, so the steps run as uid {uid}, with {python}"
            return RunnerAccount(uid=uid, python=python, code=code, explanation=explanation), tuple(failures)
        failures.append(f"{python}: {failure}")
    return None, tuple(failures)


def same_account(python: Path, code: Path) -> RunnerAccount:
    """Return the fall-back: the steps run as root, like the demo itself."""
    return RunnerAccount(
        uid=None, python=python, code=code, explanation="the steps run as root, like the demo itself"
    )


def available_pythons() -> Iterator[Path]:
    """Yield the Python of this program, then those of the system."""
    yield Path(sys.executable)
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
        if found is not None:
            yield Path(found)


def code_folder() -> Path:
    """Return the folder that holds the packages of this project."""
    return Path(emulator.__path__[0]).resolve().parent


def taken_uids() -> frozenset[int]:
    """Return the uids that have an account or own a process."""
    accounts = {entry.pw_uid for entry in pwd.getpwall()}
    owners = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                owners.add(entry.stat().st_uid)
            except OSError:
                continue  # it has ended between the listing and the look
    return frozenset(accounts | owners)


def try_out(python: Path, code: Path, uid: int) -> str | None:
    """Start the stand-in runner's modules as `uid`; return None, or what went wrong."""
    script = "import sys; assert sys.version_info >= (3, 11), sys.version; import emulator.runner.__main__"
    try:
        done = subprocess.run(
            [str(python), "-c", script],
            user=uid,
            group=uid,
            extra_groups=[],
            cwd="/",
            env={"PATH": os.defpath, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=_TRIAL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason given"])[-1]
