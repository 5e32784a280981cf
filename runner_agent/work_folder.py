"""The runner's work folder on a volume: handed to the runner's account, and empty, before the first registration is asked for.

A volume belongs to root, and nobody promises that it is fresh: a container that is started again in the same instance may find
what an earlier job left, which the next job, perhaps another repository's, must not see. What is left is removed by processes of
the runner's account, so that no trick in there can turn root's hand against other files. That account owns all of it, so it can
remove all of it, whatever permissions a job has left behind: a folder is refused only for what somebody else has put there.
"""

import contextlib
import os
import stat
import subprocess
from collections.abc import Callable

from runner_agent.account import Account
from runner_agent.errors import SettingsError
from runner_agent.log import Journal
from runner_agent.settings import WORK_FOLDER

_MODE = 0o755
"""The agent may lack root's right to pass any folder (CAP_DAC_OVERRIDE): it reads this one as any account may."""
_FILE_SYSTEMS_OWN = "lost+found"
"""An ext4 volume brings it: https://man7.org/linux/man-pages/man8/mklost+found.8.html"""
_LOOK_SECONDS = 0.05
_DIES_WITHIN_SECONDS = 1.0
_SAID_AGAIN_SECONDS = 60.0
_GIVEN_UP_SECONDS = 600.0
"""Millions of files need minutes. Storage that does not answer would keep a billed instance waiting for ever, unseen."""


class _AskedToLeave(Exception):
    """The platform takes this instance away while its folder is being emptied."""


def prepare_work_folder(
    folder: str,
    account: Account,
    *,
    asked_to_leave: Callable[[float], bool],
    clock: Callable[[], float],
    journal: Journal,
) -> bool:
    """Make `folder` if it is missing, give it to the account if we may, and empty it. Raises SettingsError.

    `asked_to_leave(seconds)` waits at most that long and says whether we were; then the answer is False: the folder is not ready.
    """
    hand = _RunnersHand(account, asked_to_leave=asked_to_leave, clock=clock, journal=journal)
    try:
        os.makedirs(folder, mode=_MODE, exist_ok=True)
        mode = os.lstat(folder).st_mode
        if not stat.S_ISDIR(mode):
            raise _wrong(folder, "it is no folder of its own but a link")
        if account.switch:
            os.chown(folder, account.uid, account.gid, follow_symlinks=False)
        if mode & _MODE != _MODE:
            hand.does("chmod", f"{_MODE:o}", folder)
        left = _empty(folder, account, hand)
    except _AskedToLeave:
        return False
    except TimeoutError:
        what = (
            f"not emptied after {_GIVEN_UP_SECONDS:.0f} s; too much is in it, or its storage does not answer"
        )
        raise _wrong(folder, what) from None
    except OSError as error:
        raise _wrong(folder, f"it cannot be given to the runner's account ({error})") from error
    if left:
        what = f"{left[0]!r} of an earlier job cannot be removed from it; probably another account than the runner's owns it"
        raise _wrong(folder, what)
    return True


class _RunnersHand:
    """Runs programs as the runner's account, within one time for all of them."""

    def __init__(
        self,
        account: Account,
        *,
        asked_to_leave: Callable[[float], bool],
        clock: Callable[[], float],
        journal: Journal,
    ) -> None:
        self._account = account
        self._asked_to_leave = asked_to_leave
        self._clock = clock
        self._journal = journal
        self._said_at = began = clock()
        self._ends_at = began + _GIVEN_UP_SECONDS

    def does(self, *command: str) -> None:
        """Wait for the program's end; how it ended is no matter, since what it left is looked at.

        Raises OSError, TimeoutError, _AskedToLeave.
        """
        account, switch = self._account, self._account.switch
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},
            user=account.uid if switch else None,
            group=account.gid if switch else None,
            extra_groups=list(account.groups) if switch else None,
        )
        try:
            while process.poll() is None:
                self._wait(_LOOK_SECONDS)
        finally:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                # No longer: where storage does not answer, not even SIGKILL ends a process before it does.
                process.wait(timeout=_DIES_WITHIN_SECONDS)

    def _wait(self, seconds: float) -> None:
        if self._asked_to_leave(seconds):
            raise _AskedToLeave
        now = self._clock()
        if now >= self._ends_at:
            raise TimeoutError
        if now >= self._said_at + _SAID_AGAIN_SECONDS:
            self._journal.warning(
                "what an earlier job left in the work folder is still being removed; then this instance parks"
            )
            self._said_at = now


def _empty(folder: str, account: Account, hand: _RunnersHand) -> list[str]:
    """Remove what a job can have left; returns what is left all the same.

    `find -delete` is given no list of names, however many there are, and follows no link. It cannot pass a folder without
    permissions, such as those of Go's module cache (0555), which `chmod -R` opens on its way down.
    """
    the_file_systems = ("(", "-name", _FILE_SYSTEMS_OWN, "!", "-uid", str(account.uid), "-perm", "700", ")")
    remove = ("find", folder, "-xdev", "-mindepth", "1", "!", *the_file_systems, "-delete")
    for command in (remove, ("chmod", "-R", "u+rwX", folder), remove):
        if not _left_in(folder, account):
            return []
        hand.does(*command)
    return _left_in(folder, account)


def _left_in(folder: str, account: Account) -> list[str]:
    """All but the file system's own folder; one that the runner can look into or has made is no such thing."""
    names = sorted(os.listdir(folder))
    if _FILE_SYSTEMS_OWN in names:
        found = os.lstat(os.path.join(folder, _FILE_SYSTEMS_OWN))
        if found.st_uid != account.uid and stat.S_IMODE(found.st_mode) == 0o700:
            names.remove(_FILE_SYSTEMS_OWN)
    return names


def _wrong(folder: str, what: str) -> SettingsError:
    remedy = "mount an emptyDir of the instance there, or leave the variable out to work in the container's own file system"
    return SettingsError([f"{WORK_FOLDER}: {folder!r}: {what}; {remedy}"])
