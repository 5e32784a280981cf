"""The agent as the image starts it, with a runner of the bench's choice. Measures nothing."""

import compileall
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from bench.stub_platform import CELL, CELL_SECRET

ROOT = Path(__file__).parents[1]


def interpreter() -> str:
    """The Python below the virtual environment: the image has no environment and no package."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


def copied_agent(folder: Path, *, compiled: bool) -> Path:
    """A copy of the agent's package alone, with or without bytecode; returns what PYTHONPATH is to name."""
    shutil.copytree(
        ROOT / "runner_agent", folder / "runner_agent", ignore=shutil.ignore_patterns("__pycache__")
    )
    if compiled and not compileall.compile_dir(folder / "runner_agent", quiet=2):
        raise RuntimeError(f"the agent's package in {folder} does not compile")
    return folder


def agent_environment(
    *, path: Path, url: str, runner: Sequence[str], home: Path, write_bytecode: bool = False
) -> Mapping[str, str]:
    """The variables of the agent's container; see Dockerfile.runner and docs/reference/agent.md."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(path),
        "PYTHONUNBUFFERED": "1",
        **({} if write_bytecode else {"PYTHONDONTWRITEBYTECODE": "1"}),
        "RUNNER_POOL_SCALER_URL": url,
        "RUNNER_POOL_CELL": CELL,
        "RUNNER_POOL_CELL_SECRET": CELL_SECRET,
        "RUNNER_POOL_RUNNER_COMMAND": shlex.join(runner),
        "RUNNER_POOL_RUNNER_HOME": str(home),
        "RUNNER_POOL_RUNNER_USER": str(os.getuid()),
        "RUNNER_POOL_ALLOW_SAME_USER": "yes",
        "GCE_METADATA_HOST": urlsplit(url).netloc,
    }
