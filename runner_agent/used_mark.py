"""A mark in the container's own file system: a runner was started here. An agent that finds it is not the first one there.

Each lease is to get a fresh container, since a job can change whatever the runner's account may write to, `run.sh` and
`~/.bashrc` included, and the next job would run it. Nothing that Cloud Run publishes says whether the container that takes the
place of one that has ended has a file system of its own; this tells when it has not.
"""

import os

from runner_agent.errors import SettingsError, UsedContainerError
from runner_agent.log import Journal
from runner_agent.settings import ALLOW_USED_CONTAINER, USED_MARK

_MARK_BYTES_MOST = 64


class UsedMark:
    """The mark at one path, in a folder that the runner's account cannot write to. `path` empty: none is made or found."""

    def __init__(self, path: str, *, boot: str, allow_used: bool, journal: Journal) -> None:
        self._path = path
        self._boot = boot
        self._allow_used = allow_used
        self._journal = journal

    def check(self) -> None:
        """Tell of an earlier job in this container. Raises UsedContainerError or SettingsError where that was not allowed.

        Allowed is the default: where no container is ever fresh, a pool that serves with a loud word does less harm than one that
        never serves a second time.
        """
        if not self._path:
            return
        try:
            earlier = _read(self._path)
            if earlier is None and not self._allow_used:
                _prove_writable(self._path)
        except OSError as error:
            if not self._allow_used:
                raise SettingsError([self._useless(error)]) from error
            self._journal.warning(self._useless(error))
            return
        if earlier is None:
            return
        found = (
            f"a runner was started in this container before (boot {earlier}), so it is not fresh: whatever that job has left "
            "outside of the work folder, a changed run.sh or ~/.bashrc even, meets the next one. Probably Cloud Run starts a "
            "container that has ended again on the same file system"
        )
        if not self._allow_used:
            raise UsedContainerError(
                f"{found}. It takes no job, as {ALLOW_USED_CONTAINER}=no says; instances that are started after the cell was at "
                "zero are fresh: runner-pool drain, then resume"
            )
        self._journal.error(
            f"{found}. It serves all the same: keep workflows that do not trust each other in pools of their own, or set "
            f"{ALLOW_USED_CONTAINER}=no, with which such a container takes no job"
        )

    def make(self) -> None:
        """Leave the mark, unless it is there. Raises OSError if that was not done and used containers are not allowed."""
        if not self._path:
            return
        try:
            _write(self._path, self._boot)
        except OSError as error:
            if not self._allow_used:
                raise
            self._journal.warning(self._useless(error))

    def _useless(self, error: OSError) -> str:
        return (
            f"{USED_MARK}: {self._path!r}: that a job has run in this container cannot be noted or read there ({error}), so "
            "nobody would learn of a container that is used again; probably its folder is missing, read-only or not the agent's: "
            "name a file in a folder that only the agent's account can write to"
        )


def _read(path: str) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        return file.read(_MARK_BYTES_MOST).decode(errors="replace")


def _write(path: str, boot: str) -> None:
    try:
        # Never through a link, and never over what is there: the first boot is the one to be told of.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode=0o600)
    except FileExistsError:
        return
    with open(descriptor, "wb") as file:
        file.write(boot.encode())


def _prove_writable(path: str) -> None:
    """Before a lease is asked for that could not be used."""
    probe = f"{path}.probe"
    os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode=0o600))
    os.unlink(probe)
