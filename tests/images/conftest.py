"""What the room shares: the engine, and both images, built once."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.images import bases
from tests.images.tools import Engine, missing_for_images, temporary_engine

RUNNER, SCALER = "localhost/runner-pool/runner", "localhost/runner-pool/scaler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The engine that holds both images."""

    engine: Engine
    runner: str = RUNNER
    scaler: str = SCALER
    took: dict[str, float] = field(default_factory=dict)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A container engine of this run."""
    missing = missing_for_images()
    if missing is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"On CI nothing is skipped: {missing}.")
        pytest.skip(missing)
    with temporary_engine() as made:
        yield made


@pytest.fixture(scope="session")
def images(engine: Engine) -> Images:
    """Both images upon bases of this machine's distribution; how long each part took is printed."""
    made = Images(engine=engine)
    _timed(made, "plain system", lambda: bases.import_plain_system(engine))
    _timed(made, "bases", lambda: bases.build_bases(engine))
    with tempfile.TemporaryDirectory() as folder:
        volumes = bases.pip_volumes(Path(folder))
        root = bases.ROOT
        _timed(
            made,
            "Dockerfile.runner",
            lambda: engine.build(root / "Dockerfile.runner", root, tag=RUNNER, base=bases.RUNNER_BASE),
        )
        _timed(
            made,
            "Dockerfile.scaler",
            lambda: engine.build(
                root / "Dockerfile.scaler", root, tag=SCALER, base=bases.PYTHON_BASE, volumes=volumes
            ),
        )
    sizes = {
        name: f"{engine.size_megabytes(name):.0f} MB"
        for name in (bases.PLAIN, bases.BARE_BASE, bases.RUNNER_BASE, bases.PYTHON_BASE, RUNNER, SCALER)
    }
    sys.stderr.write(f"\nimages ({engine.driver}): {made.took}; sizes: {sizes}\n")
    return made


def _timed(images: Images, part: str, work: object) -> None:
    began = time.monotonic()
    work()  # type: ignore[operator]
    images.took[part] = round(time.monotonic() - began, 1)
