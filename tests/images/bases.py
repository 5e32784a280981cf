"""The base images: no registry is asked, debootstrap makes a small system of this machine's own distribution.

The system is kept as an archive outside of the repository, in `$XDG_CACHE_HOME/runner-pool-images`: making it takes minutes.
"""

import ast
import configparser
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.images.tools import Engine

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PLAIN, BARE_BASE, RUNNER_BASE, PYTHON_BASE = (
    f"localhost/{name}" for name in ("plain", "base-bare", "base-runner", "base-python")
)
PACKAGES = "ca-certificates,sudo"
OLDEST_SECONDS = 7 * 86_400.0
"""An older archive is made anew: its packages may no longer be at the mirror."""


def import_plain_system(engine: Engine) -> None:
    """Make the image `localhost/plain`."""
    engine.podman("import", str(_archive()), PLAIN, seconds=300)


def build_bases(engine: Engine) -> None:
    """Make the two images that stand for the vendors' ones, and one that is as bare as a runner's base may be."""
    engine.build(HERE / "base-bare.Dockerfile", ROOT, tag=BARE_BASE, base=PLAIN)
    engine.build(HERE / "base-runner.Dockerfile", HERE, tag=RUNNER_BASE, base=BARE_BASE)
    engine.build(HERE / "base-python.Dockerfile", HERE, tag=PYTHON_BASE, base=PLAIN)


def pip_volumes(folder: Path) -> list[str]:
    """This machine's settings of pip, for the time of a build: mounted, so that they are in no image.

    Paths that they name (certificates, folders of wheels) are mounted at their own place.
    """
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    file = configparser.ConfigParser(interpolation=None)
    file["global"] = settings
    path = folder / "pip.conf"
    with path.open("w") as out:
        file.write(out)
    named = {value for value in settings.values() if value.startswith("/") and Path(value).exists()}
    return [f"{path}:/etc/pip.conf:ro", *(f"{each}:{each}:ro" for each in sorted(named))]


def _archive() -> Path:
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runner-pool-images"
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{codename}-{platform.machine()}-{PACKAGES.replace(',', '-')}.tar"
    if archive.exists() and time.time() - archive.stat().st_mtime < OLDEST_SECONDS:
        return archive
    with tempfile.TemporaryDirectory(dir=folder) as made:
        system = Path(made, "system")
        _run(
            "debootstrap",
            "--variant=minbase",
            f"--include={PACKAGES}",
            f"--components={_components()}",
            codename,
            str(system),
            _mirror(codename),
        )
        unfinished = Path(made, "archive.tar")
        leave_out = [
            f"--exclude=./{path}" for path in ("var/cache/apt/archives/*", "var/lib/apt/lists/*", "dev/*")
        ]
        _run("tar", "--create", f"--file={unfinished}", f"--directory={system}", *leave_out, ".")
        unfinished.replace(archive)
    return archive


def _components() -> str:
    return "main,universe" if platform.freedesktop_os_release()["ID"] == "ubuntu" else "main"


def _mirror(codename: str) -> str:
    """Where this machine's apt gets the distribution from."""
    targets = _run("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages")
    for line in targets.splitlines():
        name, _, address = line.partition(" ")
        if name == codename:
            return address
    raise AssertionError(f"apt has no mirror of {codename}; run apt-get update. It knows:\n{targets}")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout
