"""The runner's work folder on a volume: handed to the runner's account, and empty, before the first registration is asked for.

A volume belongs to root, and nobody promises that it is fresh: a container that is started again in the same instance may find
what an earlier job left, which the next job, perhaps another repository's, must not see. What is left is removed by a process of
the runner's account, so that no trick in there can turn root's hand against other files.
"""

import os
import stat
import subprocess

from runner_agent.account import Account
from runner_agent.errors import SettingsError
from runner_agent.settings import WORK_FOLDER

_FILE_SYSTEMS_OWN = frozenset({"lost+found"})
"""An ext4 volume brings it: https://man7.org/linux/man-pages/man8/mklost+found.8.html"""
_EMPTIED_WITHIN_SECONDS = 60.0


def prepare_work_folder(folder: str, account: Account) -> None:
    """Make `folder` if it is missing, give it to the account if we may, and empty it. Raises SettingsError."""
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            raise _wrong(folder, "it is no folder of its own but a link")
        if account.switch:
            os.chown(folder, account.uid, account.gid, follow_symlinks=False)
        _empty(folder, account)
    except (OSError, subprocess.SubprocessError) as error:
        raise _wrong(folder, f"it cannot be given to the runner's account ({error})") from error


def _empty(folder: str, account: Account) -> None:
    if not _left_in(folder):
        return
    switch = account.switch
    # rm opens folders step by step and follows no link; the files are the runner's, whatever their permissions.
    subprocess.run(
        ["rm", "-rf", "--", *(os.path.join(folder, name) for name in _left_in(folder))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.defpath},
        check=False,
        timeout=_EMPTIED_WITHIN_SECONDS,
        user=account.uid if switch else None,
        group=account.gid if switch else None,
        extra_groups=list(account.groups) if switch else None,
    )
    left = _left_in(folder)
    if left:
        raise _wrong(folder, f"{left[0]!r} of an earlier job cannot be removed from it")


def _left_in(folder: str) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name not in _FILE_SYSTEMS_OWN)


def _wrong(folder: str, what: str) -> SettingsError:
    remedy = "mount an emptyDir of the instance there, or leave the variable out to work in the container's own file system"
    return SettingsError([f"{WORK_FOLDER}: {folder!r}: {what}; {remedy}"])
