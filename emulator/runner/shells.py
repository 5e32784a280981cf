"""From a step's `shell:` to the command line that runs its script. Pure but for the search on PATH.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
"""

import os
import shlex
from collections.abc import Callable
from typing import NamedTuple

_ARGUMENTS = {
    "bash": "--noprofile --norc -e -o pipefail {0}",
    "sh": "-e {0}",
    "python": "{0}",
}
_SUFFIXES = {"bash": ".sh", "sh": ".sh", "python": ".py"}


class ShellError(Exception):
    """The shell is not installed, or its command line has no place for the script."""


class Shell(NamedTuple):
    """A program with its arguments; `{0}` stands for the script."""

    program: str
    arguments: str
    suffix: str

    def command(self, script: str) -> list[str]:
        """The command line that runs a script file."""
        return [self.program, *(part.replace("{0}", script) for part in shlex.split(self.arguments))]


def chosen_shell(shell: str | None, find: Callable[[str], str | None]) -> Shell:
    """The shell of a step; None when neither step nor defaults name one. `find` looks a program up on PATH.

    Raises ShellError.
    """
    if not shell:
        program = find("bash") or find("sh")
        if program is None:
            raise ShellError("Neither bash nor sh is installed.")
        return Shell(program, "-e {0}", ".sh")
    name, _, arguments = shell.partition(" ")
    program = find(name)
    if program is None and name == "python":
        program = find("python3")  # Debian's images have only this name; setup-python would bring the other
    if program is None:
        raise ShellError(f"{name}: command not found")
    arguments = arguments.strip() or _ARGUMENTS.get(name, "")
    if "{0}" not in arguments:
        raise ShellError(
            "Invalid shell option. Shell must be a valid built-in (bash, sh, python) or a format string "
            "containing '{0}'"
        )
    return Shell(program, arguments, _SUFFIXES.get(name, ""))


def found_on(path: str) -> Callable[[str], str | None]:
    """A look-up of programs on this PATH."""

    def find(name: str) -> str | None:
        for folder in path.split(os.pathsep):
            candidate = os.path.join(folder or ".", name)
            if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
                return candidate
        return None

    return find
