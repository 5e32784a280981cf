"""Reads the commands of a page and runs them in a shell beside a `gcloud` that only notes how it was called."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)

# Notes its arguments, one JSON list a line, and the file that a worker pool's variables were read from as it was then.
_NOTING = """#!/usr/bin/env python3
import json, os, pathlib, sys
read = {arg: pathlib.Path(arg.partition("=")[2]).read_text() for arg in sys.argv[1:] if arg.startswith("--env-vars-file=")}
with open(os.environ["NOTES"], "a") as notes:
    notes.write(json.dumps({"arguments": sys.argv[1:], "read": list(read.values())}) + "\\n")
print(os.environ["SAYS"])
"""


def console(page: str) -> list[str]:
    """The blocks of commands of a page, in their order."""
    return CONSOLE.findall(page)


def called(blocks: Sequence[str], folder: Path, *, says: str) -> list[tuple[list[str], list[str]]]:
    """Run the blocks in one shell in `folder`; each call of gcloud: its arguments and the files of variables it was given.

    `says`: what gcloud prints at each call. Fails when the shell does.
    """
    programs, notes = folder / "programs", folder / "notes"
    programs.mkdir()
    gcloud = programs / "gcloud"
    gcloud.write_text(_NOTING)
    gcloud.chmod(0o755)
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
    return [(call["arguments"], call["read"]) for call in map(json.loads, notes.read_text().splitlines())]


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
