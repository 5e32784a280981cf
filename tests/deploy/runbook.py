"""Reads the commands of a page and runs them in a shell beside a `gcloud` that only notes how it was called."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.deploy.tree import ROOT

HOW_TO = ROOT / "docs/how-to"
Calls = list[tuple[list[str], list[str]]]
"""Each call of gcloud: its arguments and the files that it was given."""
NEEDS_GCLOUD = pytest.mark.skipif(
    shutil.which("gcloud") is None,
    reason="gcloud is not installed, so its commands and flags cannot be checked",
)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)

# Notes its arguments, each with a NUL behind it, and the files that it was given as they were then.
_NOTING = r"""#!/bin/sh
call="$NOTES/$(ls "$NOTES" | wc -l)"
mkdir "$call"
printf '%s\0' "$@" > "$call/arguments"
for each in "$@"; do
  case "$each" in
    --env-vars-file=* | --config-from-file=* | --policy-from-file=*) cp "${each#*=}" "$call/file" ;;
  esac
done
echo "$SAYS"
"""


def console(page: str) -> list[str]:
    """The blocks of commands of a page, in their order."""
    return CONSOLE.findall(page)


def mentioned(blocks: Sequence[str]) -> list[list[str]]:
    """The arguments of each call of gcloud that stands on a line of its own; nothing is run."""
    found = [each[0] for block in blocks for each in re.finditer(r"gcloud [^|)\n]+", block)]
    return [shlex.split(each)[1:] for each in found]


def begins(calls: Calls, *words: str) -> list[list[str]]:
    """The arguments of the calls that begin like this."""
    return [arguments for arguments, _ in calls if tuple(arguments[: len(words)]) == words]


def flag(arguments: list[str], name: str) -> str:
    """The value of a flag."""
    return next(each for each in arguments if each.startswith(f"--{name}=")).partition("=")[2]


def called(blocks: Sequence[str], folder: Path, *, says: str) -> Calls:
    """Run the blocks in one shell in `folder`, as if it were the top of the checkout.

    `says`: what gcloud prints at each call. Fails when the shell does.
    """
    programs, notes = folder / "programs", folder / "notes"
    programs.mkdir()
    notes.mkdir()
    gcloud = programs / "gcloud"
    gcloud.write_text(_NOTING)
    gcloud.chmod(0o755)
    (folder / "deploy").symlink_to(ROOT / "deploy")
    done = subprocess.run(
        ["bash", "-eu", "-c", "\n".join(blocks)],
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "NOTES": str(notes), "SAYS": says},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [
        ((call / "arguments").read_text().split("\0")[:-1], [file.read_text() for file in call.glob("file")])
        for call in sorted(notes.iterdir(), key=lambda call: int(call.name))
    ]


def complaints(calls: Sequence[Sequence[str]], folder: Path) -> list[str]:
    """What the installed gcloud says against these calls: commands and flags that it does not have, values that it refuses."""
    file = folder / "commands.json"
    file.write_text(json.dumps([{"command_string": shlex.join(["gcloud", *call])} for call in calls]))
    done = subprocess.run(
        ["gcloud", "meta", "lint-gcloud-commands", f"--commands-file={file}"],
        env={**os.environ, "CLOUDSDK_CONFIG": str(folder / "config"), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    judged = json.loads(done.stdout)
    assert len(judged) == len(calls), done.stderr
    return [f"{each['command_string']}: {each['error_message']}" for each in judged if not each["success"]]
