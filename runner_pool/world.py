"""The stand-in world as a child program: started, reached through its control doors, gone with all it made.

    with World.started(env=os.environ) as world:
        world.door.set_up_organization(...)

The world lives in a temporary folder of its own, which the end removes. I start and stop programs and count
what they leave; I know nothing of workflows, and the scaler is to me one more program.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from runner_pool import errors
from runner_pool.control_door import Announcement, ControlDoor
from runner_pool.process_table import Process, is_living, living_descendants
from runner_pool.program import Program

_ANNOUNCEMENT_SECONDS = 30.0
# The stand-in cloud gives each container Cloud Run's 10 s between SIGTERM and SIGKILL, at any time factor.
_STOP_GRACE_SECONDS = 20.0


class World:
    """A running stand-in world and the programs that were started inside it."""

    def __init__(
        self, *, folder: Path, env: Mapping[str, str], announcement: Announcement, emulator: Program
    ) -> None:
        """Bind what `started` has started; use that instead."""
        self.folder = folder
        self.announcement = announcement
        self.door = ControlDoor(announcement)
        self._env = env
        self._emulator = emulator
        self._programs: list[Program] = [emulator]
        self._seen: list[Process] = []

    @classmethod
    @contextmanager
    def started(cls, *, env: Mapping[str, str], time_factor: float = 0.1, seed: int = 7) -> Iterator["World"]:
        """Start the world, hand it out, and end it whatever happens inside: programs first, then the folder.

        `env` is the environment of the programs. Raises WorldError when it does not start, and when the block
        ended well but a process was left behind.
        """
        folder = Path(tempfile.mkdtemp(prefix="runner-pool-"))
        folder.chmod(0o711)  # the account of the runners may reach what is made for it, and may list nothing
        emulator: Program | None = None
        world: World | None = None
        try:
            private = folder / "private"
            private.mkdir(mode=0o700)
            announce, state = private / "announcement.json", private / "state"
            state.mkdir()
            command = [
                sys.executable,
                "-m",
                "emulator",
                "--state-dir",
                str(state),
                "--announce",
                str(announce),
            ]
            command += ["--time-factor", str(time_factor), "--seed", str(seed)]
            environment = _loopback_without_proxy(env)
            emulator = Program(
                "the stand-in world", command, env=environment, cwd=folder, log=private / "world.log"
            )
            announcement = _awaited_announcement(announce, emulator)
            world = cls(folder=folder, env=environment, announcement=announcement, emulator=emulator)
            yield world
            world.stop()
            world.require_nothing_left()
        finally:
            if world is not None:
                world.stop()
            elif emulator is not None:
                emulator.stop(grace_seconds=_STOP_GRACE_SECONDS)
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def private_folder(self) -> Path:
        """A folder that only this account may enter, for secrets, records and logs."""
        return self.folder / "private"

    def start(self, name: str, command: Sequence[str]) -> Program:
        """Start another program of this world (the scaler); it is ended before the world is."""
        log = self.private_folder / f"{name.replace(' ', '-')}.log"
        program = Program(name, command, env=self._env, cwd=self.folder, log=log)
        self._programs.append(program)
        return program

    def require_alive(self) -> None:
        """Raise WorldError when one of the programs has ended by itself."""
        for program in self._programs:
            program.require_alive()

    def container_processes(self) -> tuple[Process, ...]:
        """Return every living process below the stand-in cloud: those of its containers."""
        return living_descendants(self._emulator.pid)

    def stop(self) -> tuple[int, ...]:
        """End every program, the youngest first; idempotent. Returns their exit codes in that order."""
        self.door.close()
        for program in self._programs:
            self._seen += living_descendants(program.pid)
        return tuple(program.stop(grace_seconds=_STOP_GRACE_SECONDS) for program in reversed(self._programs))

    def left_processes(self) -> tuple[Process, ...]:
        """Return those processes seen below the programs at `stop` that still run."""
        return tuple(process for process in self._seen if is_living(process))

    def require_nothing_left(self) -> None:
        """Raise WorldError when a process has outlived the programs that started it."""
        left = self.left_processes()
        if left:
            raise errors.WorldError(
                f"{len(left)} process(es) have outlived the world that started them",
                cause="; ".join(f"{process.pid}: {process.command[:120]}" for process in left),
                remedy="end them by their process ids, and report this together with these lines",
            )


def _loopback_without_proxy(env: Mapping[str, str]) -> dict[str, str]:
    direct = ",".join(filter(None, [env.get("no_proxy") or env.get("NO_PROXY"), "127.0.0.1", "localhost"]))
    return {**env, "NO_PROXY": direct, "no_proxy": direct}


def _awaited_announcement(
    path: Path,
    emulator: Program,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Announcement:
    deadline = clock() + _ANNOUNCEMENT_SECONDS
    while clock() < deadline:
        emulator.require_alive()
        text = path.read_text() if path.exists() else ""
        if text.endswith("\n"):
            return Announcement(**json.loads(text))
        sleep(0.05)
    raise errors.WorldError(
        f"the stand-in world did not announce itself within {_ANNOUNCEMENT_SECONDS:.0f} s",
        cause=f"its last lines were:\n{emulator.last_lines()}",
        remedy="run the demo again when the machine has less to do",
    )
