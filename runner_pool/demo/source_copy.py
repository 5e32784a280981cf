"""A copy of the user's source folder for the demo to work on; the original is only read.

In a git repository the copy holds what git would show to a colleague (tracked and untracked, without what
.gitignore names) and a history of its own, so that steps may ask git; elsewhere it holds everything. A
symbolic link is copied as a link, and only when it stays inside the folder: through any other one a step
would reach the original. I know nothing of workflows.
"""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner_pool import errors


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCopy:
    """What was copied where, and what was left out with the reason."""

    folder: Path
    files: int
    with_git: bool
    left_out: tuple[str, ...]


def copy_source(source: Path, folder: Path, *, group: int | None) -> SourceCopy:
    """Copy `source` into the new folder `folder`, readable for `group` (a gid), owned by this process.

    Raises SourceError when the folder cannot be read, or git refuses to list it.
    """
    source = source.resolve()
    if not source.is_dir():
        raise errors.SourceError(
            f"{source} is not a folder", remedy="name the root of the repository with --source"
        )
    with_git = (source / ".git").exists()
    folder.mkdir(mode=0o750)
    try:
        if with_git:
            _copy_history(source, folder)
        names = _files_of_git(source) if with_git else _all_files(source)
        files, left_out = _copy_files(source, folder, names)
        if with_git:
            _git(folder, "reset", "--quiet")
    except OSError as error:
        raise errors.SourceError(
            f"{source} cannot be copied",
            cause=f"{error.strerror}: {error.filename}",
            remedy="make the file readable for this account, or name it in .gitignore",
        ) from error
    _open_to_group(folder, group)
    return SourceCopy(folder=folder, files=files, with_git=with_git, left_out=tuple(left_out))


def _copy_files(source: Path, folder: Path, names: Iterator[Path]) -> tuple[int, list[str]]:
    files, left_out = 0, []
    for name in names:
        original, copy = source / name, folder / name
        try:
            mode = original.lstat().st_mode
        except FileNotFoundError:
            continue  # tracked by git, deleted in the working tree
        if stat.S_ISLNK(mode):
            target = _inner_target(source, original)
            if target is None:
                left_out.append(f"{name}: a link that leaves the folder")
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.symlink_to(target)
        elif stat.S_ISREG(mode):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(original, copy, follow_symlinks=False)
        elif stat.S_ISDIR(mode):
            copy.mkdir(parents=True, exist_ok=True)
            continue
        else:
            left_out.append(f"{name}: neither file, folder nor link")
            continue
        files += 1
    return files, left_out


def _inner_target(source: Path, link: Path) -> str | None:
    """Return the link's target, relative to its place, or None when it leads outside of the source."""
    resolved = link.resolve()
    if not resolved.is_relative_to(source):
        return None
    return os.path.relpath(resolved, link.parent.resolve())


def _all_files(source: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(source, followlinks=False):
        for name in sorted(folders + files):
            yield (Path(parent) / name).relative_to(source)


def _files_of_git(source: Path) -> Iterator[Path]:
    listed = _git(source, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    for name in filter(None, listed.split("\0")):
        path = source / name
        if path.is_dir() and not path.is_symlink():  # a submodule: a repository of its own
            inner = _files_of_git(path) if (path / ".git").exists() else iter(())
            yield from (Path(name) / found for found in inner)
        else:
            yield Path(name)


def _copy_history(source: Path, folder: Path) -> None:
    """Give the copy its own history: no working tree yet, no link to the original, none of its settings."""
    if not _git(source, "rev-list", "--max-count=1", "--all").strip():
        _git(folder, "init", "--quiet")
        return
    _git(source, "clone", "--quiet", "--no-checkout", "--no-local", str(source), str(folder))
    _git(folder, "remote", "remove", "origin")


def _git(folder: Path, *arguments: str) -> str:
    # A repository may name programs for git to start; a listing needs none of them.
    safe = (
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "protocol.file.allow=always",
    )
    try:
        done = subprocess.run(
            ["git", *safe, "-C", str(folder), *arguments], check=True, capture_output=True, text=True
        )
    except FileNotFoundError as error:
        raise errors.SourceError(
            f"{folder} is a git repository and there is no git on this machine",
            remedy="install git, or name a plain copy of the folder with --source",
        ) from error
    except subprocess.CalledProcessError as error:
        raise errors.SourceError(
            f"git cannot read {folder}",
            cause=str(error.stderr).strip()[:300],
            remedy="`git status` in that folder shows what is wrong",
        ) from error
    return done.stdout


def _open_to_group(folder: Path, group: int | None) -> None:
    for parent, _folders, files in os.walk(folder):
        for path in (Path(parent), *(Path(parent) / name for name in files)):
            if group is not None:
                os.chown(path, -1, group, follow_symlinks=False)
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | stat.S_IRGRP | (stat.S_IXGRP if mode & stat.S_IXUSR else 0))
