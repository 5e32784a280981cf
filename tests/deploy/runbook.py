"""Reads the commands of a page and runs them in a shell beside a `gcloud` that only notes how it was called."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.deploy.tree import ROOT

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


def called(blocks: Sequence[str], folder: Path, *, says: str) -> list[tuple[list[str], list[str]]]:
    """Run the blocks in one shell in `folder`, as if it were the top of the checkout.

    Returns each call of gcloud: its arguments and the files that it was given.

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
