"""`uses:`: the few actions the stand-in knows. checkout copies a folder; tool and cache actions do nothing and say so.

Others cannot run: there is no node and no docker here, and nothing is downloaded.
"""

import os
import re
from collections.abc import Callable, Mapping

# What a job needs is installed already, and a cache that is always empty is a cache. Artifacts are not among them: a job that
# gets nothing where it expects something must not turn green.
_NO_OPERATION = re.compile(r"actions/(setup-[^/]+|cache(/.+)?)")


class ActionError(Exception):
    """The action cannot do its work; the message is for the workflow's author."""


def run_action(
    name: str,
    inputs: Mapping[str, str],
    *,
    source: str | None,
    workspace: str,
    say: Callable[[str], None],
) -> None:
    """Runs an action. `name`: owner/name[/path], without version. Raises ActionError."""
    if name == "actions/checkout":
        _check_out(inputs, source=source, workspace=workspace, say=say)
        return
    if _NO_OPERATION.fullmatch(name):
        say(f"{name} does nothing in the stand-in runner: it uses what is installed and keeps nothing.")
        return
    raise ActionError(
        f"The stand-in runner cannot run {name!r}: it has no node and no docker. It knows actions/checkout, "
        "actions/setup-* and actions/cache; replace others by a `run:` step."
    )


def _check_out(
    inputs: Mapping[str, str], *, source: str | None, workspace: str, say: Callable[[str], None]
) -> None:
    if inputs.get("repository"):
        raise ActionError(
            "actions/checkout of another repository is not possible here: there is one source folder."
        )
    if source is None:
        raise ActionError("actions/checkout has nothing to copy: the push named no source folder.")
    if not os.path.isdir(source):
        raise ActionError(f"actions/checkout: the source folder {source} does not exist.")
    target = os.path.realpath(os.path.join(workspace, inputs.get("path", "")))
    if not f"{target}{os.sep}".startswith(f"{os.path.realpath(workspace)}{os.sep}"):
        raise ActionError(f"actions/checkout: the path {inputs['path']!r} is not under the workspace.")
    import shutil

    try:
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise ActionError(f"actions/checkout: copying {source} failed: {error}") from None
    say(f"Copied {source} to {target}")
