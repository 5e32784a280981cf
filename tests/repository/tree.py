"""What belongs to the repository: what git tracks or would track. Starts git, reads files."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Every file of the repository, relative to its root; without git, every file outside of hidden folders."""
    if not (ROOT / ".git").exists():
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        return tuple(sorted(path for path in found if not _is_made(path)))
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = sorted({name for name in listed.split("\0") if name})
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


def python_files() -> tuple[Path, ...]:
    """Every Python file of the repository."""
    return tuple(path for path in files() if path.suffix == ".py")


def markdown_files() -> tuple[Path, ...]:
    """Every page of prose."""
    return tuple(path for path in files() if path.suffix == ".md")


def text_of(path: Path) -> str:
    """The text of a file of the repository; empty for what is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def _is_made(path: Path) -> bool:
    return any(part.startswith(".venv") or part in {"__pycache__", ".git"} for part in path.parts)
