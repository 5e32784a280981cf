"""hashFiles(): one hash over the workspace files that patterns choose.

https://docs.github.com/en/actions/reference/workflows-and-actions/expressions#hashfiles
"""

import glob
import hashlib
import os
from collections.abc import Callable

from emulator.workflow.values import Value, as_text


def hash_files_in(workspace: str) -> Callable[..., Value]:
    """The function for expressions of one job. Empty text when no file is chosen."""

    def hash_files(*patterns: Value) -> Value:
        chosen: set[str] = set()
        for value in patterns:
            for pattern in as_text(value).splitlines():
                files = _files(workspace, pattern.strip().removeprefix("!"))
                if pattern.strip().startswith("!"):
                    chosen -= files
                else:
                    chosen |= files
        if not chosen:
            return ""
        total = hashlib.sha256()
        for path in sorted(chosen):
            with open(path, "rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        return total.hexdigest()

    return hash_files


def _files(workspace: str, pattern: str) -> set[str]:
    if not pattern:
        return set()
    found = glob.glob(os.path.join(workspace, pattern), recursive=True, include_hidden=True)
    inside = os.path.realpath(workspace) + os.sep
    return {path for path in found if os.path.isfile(path) and os.path.realpath(path).startswith(inside)}
