"""The account that the runner gets, and whether it differs from ours. Reads the account database, changes nothing."""

import os
import pwd
from dataclasses import dataclass

from runner_agent.errors import SameUserError, SettingsError
from runner_agent.settings import ALLOW_SAME_USER, RUNNER_USER


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`switch`: whether the runner's processes have to change to it (only root can)."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str
    switch: bool


def runner_account(user: str, *, runner_home: str) -> Account:
    """The account named by RUNNER_POOL_RUNNER_USER when we are root, else our own. Raises SettingsError."""
    if os.geteuid() != 0:
        return _own_account(runner_home)
    try:
        entry = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
    except KeyError:
        if not user.isdigit():
            raise SettingsError(
                [f"{RUNNER_USER}: there is no account {user!r}; make it in the image or name another one"]
            ) from None
        # A bare uid without an entry is fine for a kernel; its group is its own, never root's.
        uid = int(user)
        return Account(uid=uid, gid=uid, groups=(), name=user, home=runner_home, switch=True)
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    home = entry.pw_dir if os.path.isdir(entry.pw_dir) else runner_home
    return Account(
        uid=entry.pw_uid, gid=entry.pw_gid, groups=groups, name=entry.pw_name, home=home, switch=True
    )


def check_separation(account: Account, *, allow_same_user: bool) -> None:
    """Refuse to hold a cell's secret, or the App's key, beside a runner of the same account. Raises SameUserError."""
    own_uid = os.geteuid()
    if account.uid == own_uid and not allow_same_user:
        raise SameUserError(
            f"Agent and runner would both be uid {own_uid}, so a workflow step could read the secrets of the agent. "
            f"Start the agent as root with {RUNNER_USER} naming another account, or set {ALLOW_SAME_USER}=yes "
            "if every workflow of this pool is trusted."
        )


def _own_account(runner_home: str) -> Account:
    uid, gid = os.geteuid(), os.getegid()
    try:
        entry = pwd.getpwuid(uid)
        name, home = entry.pw_name, entry.pw_dir
    except KeyError:
        name, home = str(uid), runner_home
    home = home if os.path.isdir(home) else runner_home
    return Account(uid=uid, gid=gid, groups=tuple(os.getgroups()), name=name, home=home, switch=False)
