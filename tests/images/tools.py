"""What this room needs of the machine, and the container engine in a storage of its own. Decides nothing about the products.

The user's own containers and their configuration are not touched: storage, state and containers.conf are made for one run.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TOOLS = ("buildah", "podman", "runc", "debootstrap")

CAPABILITIES = ("SETUID", "SETGID", "KILL", "CHOWN")
"""All that the agent needs as root (docs/how-to/images.md); every other right is taken away."""

CONTAINERS_CONF = """\
[containers]
# A machine that lets us have fewer than the engine's own defaults would refuse to start any container.
default_ulimits = ["nofile=1024:2048", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
"""
CONTEXT_DEADLINE_SECONDS = 400.0


def missing_for_images() -> str | None:
    """A sentence that says exactly what this machine lacks; None when nothing does."""
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    if lacking:
        return (
            f"these tests need {', '.join(lacking)}, which this machine does not have: as root, "
            ".ci/install-image-tools installs what is missing"
        )
    if os.geteuid() != 0:
        return "these tests build and run containers as root, and this is another account: use sudo"
    return None


@dataclass(kw_only=True)
class Engine:
    """buildah and podman over one temporary storage."""

    folder: Path
    driver: str
    environment: dict[str, str] = field(repr=False)

    def podman(self, *arguments: str, check: bool = True, seconds: float = 120) -> str:
        """What `podman …` printed. Fails with its words."""
        return self._output([*self.podman_command(), *arguments], check=check, seconds=seconds)

    def buildah(self, *arguments: str, seconds: float = CONTEXT_DEADLINE_SECONDS) -> str:
        """What `buildah …` printed."""
        return self._output([*self._command("buildah"), *arguments], check=True, seconds=seconds)

    def podman_command(self) -> list[str]:
        """The words before a podman verb."""
        settings = ["--tmpdir", str(self.folder / "state"), "--runtime", shutil.which("runc") or "runc"]
        return [*self._command("podman"), *settings, "--cgroup-manager", "cgroupfs"]

    def run_command(self, *options: str) -> list[str]:
        """`podman run` in the foreground, as near to what Cloud Run gives a container as this machine allows.

        But without `no-new-privileges`, which Cloud Run has: our own programs have to hold without it.
        """
        return [
            "env",
            f"CONTAINERS_CONF={self.environment['CONTAINERS_CONF']}",
            *self.podman_command(),
            "run",
            "--rm",
            "--pull=never",
            "--network=host",
            "--cap-drop=all",
            *options,
        ]

    def cell_command(self) -> list[str]:
        """How the stand-in cloud runs an instance of a cell."""
        return self.run_command(*(f"--cap-add={name}" for name in CAPABILITIES))

    def containers(self) -> list[str]:
        """The names of the containers that run. The engine's notes of those that were ended hard are not counted."""
        return self.podman("ps", "--format", "{{.Names}}").split()

    def build(
        self,
        dockerfile: Path,
        context: Path,
        *,
        tag: str,
        base: str,
        volumes: Sequence[str] = (),
        target: str | None = None,
    ) -> None:
        """Build an image upon another one of this storage. `target`: the stage, if not the last."""
        self.buildah(
            "build",
            "--isolation=chroot",
            "--pull-never",
            "--layers=false",
            f"--build-arg=BASE={base}",
            *(f"--volume={volume}" for volume in volumes),
            *([] if target is None else [f"--target={target}"]),
            f"--file={dockerfile}",
            f"--tag={tag}",
            str(context),
        )

    def size_megabytes(self, image: str) -> float:
        """What an image takes, its base included."""
        return int(self.podman("image", "inspect", "--format", "{{.Size}}", image)) / 1e6

    def _command(self, program: str) -> list[str]:
        storage = ["--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run")]
        return [program, *storage, "--storage-driver", self.driver]

    def _output(self, command: Sequence[str], *, check: bool, seconds: float) -> str:
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert not check or done.returncode == 0, (
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
        return done.stdout


@contextlib.contextmanager
def temporary_engine() -> Iterator[Engine]:
    """An engine whose images, containers and mounts are gone at the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="runner-pool-images-"))
    settings = folder / "containers.conf"
    settings.write_text(CONTAINERS_CONF)
    environment = {**os.environ, "CONTAINERS_CONF": str(settings)}
    engine = Engine(folder=folder, driver="overlay", environment=environment)
    try:
        if not _works(engine):  # as on a storage that is an overlay itself
            engine.driver = "vfs"
        yield engine
    finally:
        engine.podman("rm", "--all", "--force", "--time=0", check=False)
        engine.podman("umount", "--all", check=False)
        # What was mounted for containers that were killed hard with their engine.
        for mount in sorted(_mounts_below(folder), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        shutil.rmtree(folder)


def _works(engine: Engine) -> bool:
    try:
        engine.podman("info")
    except AssertionError:
        shutil.rmtree(engine.folder / "storage", ignore_errors=True)
        return False
    return True


def _mounts_below(folder: Path) -> list[str]:
    with Path("/proc/self/mountinfo").open() as table:
        points = [line.split()[4] for line in table]
    return [point for point in points if point.startswith(f"{folder}/")]
