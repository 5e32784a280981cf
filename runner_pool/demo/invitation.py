"""What a demo will run, settled before anything starts: the workflows, the account, and the user's consent.

I ask and refuse; I start nothing but the trial of an account.
"""

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from runner_pool import errors
from runner_pool.demo import account as accounts
from runner_pool.demo import workflow_files
from runner_pool.demo.account import RunnerAccount
from runner_pool.demo.workflow_files import Plan

_HOSTED_PREFIXES = ("ubuntu-", "windows-", "macos-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user has asked for on the command line."""

    workflow: Path | None = None
    source: Path | None = None
    jobs: tuple[str, ...] = ()
    consent_given: bool = False
    allow_root: bool = False
    passed_on: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_seconds: float = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """A demo that is allowed to start; `own` tells the user's workflows from the bundled ones."""

    plan: Plan
    account: RunnerAccount
    source: Path
    own: bool
    passed_on: Mapping[str, str] = field(repr=False)
    timeout_seconds: float

    @property
    def agent_command(self) -> tuple[str, ...]:
        """The command line of each container."""
        return (sys.executable, "-m", "runner_agent")

    def scaler_command(self, configuration: Path) -> tuple[str, ...]:
        """Return the command line of the scaler."""
        return (sys.executable, "-m", "runner_pool", "serve", "--config", str(configuration))

    def cell_environment(self, folder: Path, *, scaler_url: str) -> dict[str, str]:
        """Return the variables of a cell's template, and make the folders that they name below `folder`."""
        home, scratch = folder / "runner-home", folder / "scratch"
        home.mkdir(mode=0o755)
        scratch.mkdir()
        scratch.chmod(0o1777)
        uid = self.account.uid
        if uid is not None:
            os.chown(home, uid, uid)
        python = self.account.python
        environment = {
            **self.passed_on,
            "RUNNER_POOL_SCALER_URL": scaler_url,
            "RUNNER_POOL_RUNNER_COMMAND": shlex.join([str(python), "-m", "emulator.runner"]),
            "RUNNER_POOL_RUNNER_HOME": str(home),
            "PATH": os.pathsep.join(
                [str(_folder_with_python(python, folder)), "/usr/local/bin", "/usr/bin", "/bin"]
            ),
            "TMPDIR": str(scratch),
        }
        if str(python) != sys.executable:
            environment["PYTHONPATH"] = str(self.account.code)
        if uid is None:
            return {**environment, "RUNNER_POOL_ALLOW_SAME_USER": "yes"}
        return {**environment, "RUNNER_POOL_RUNNER_USER": str(uid)}


def invited(
    wishes: Wishes, *, console: Console, confirm: Callable[[str], bool], effective_uid: int
) -> Performance:
    """Settle what runs and as whom, show the steps of a user's workflows and ask. Raises CommandError."""
    if sys.platform != "linux":
        raise errors.UsageError(
            "the demo needs Linux",
            cause="it starts containers as processes, with Linux's signals and its table of processes",
            remedy="run it in a Linux container or virtual machine",
        )
    own = wishes.workflow is not None or wishes.source is not None
    if own and (wishes.workflow is None or wishes.source is None):
        raise errors.UsageError(
            "--workflow and --source belong together",
            cause="the workflow's steps run on a copy of the source",
            remedy="give both: --workflow .github/workflows/ci.yml --source .",
        )
    files = workflow_files.files_at(wishes.workflow) if wishes.workflow else workflow_files.bundled_files()
    if wishes.jobs:
        files = workflow_files.with_jobs(files, wishes.jobs)
    plan = workflow_files.plan_of(workflow_files.triggered_by_push(files))
    account = _account(own=own, allow_root=wishes.allow_root, effective_uid=effective_uid, console=console)
    console.print(f"{account.explanation}", markup=False, highlight=False)
    if own:
        _show(plan, console)
        if not wishes.consent_given and not confirm("Run these steps on this machine?"):
            raise errors.UsageError("nothing was run", cause="you said no")
    return Performance(
        plan=plan,
        account=account,
        source=wishes.source.resolve() if wishes.source else workflow_files.bundled_folder(),
        own=own,
        passed_on=wishes.passed_on,
        timeout_seconds=wishes.timeout_seconds,
    )


def _account(*, own: bool, allow_root: bool, effective_uid: int, console: Console) -> RunnerAccount:
    found, failures = accounts.runner_account(
        effective_uid=effective_uid,
        pythons=accounts.available_pythons(),
        code=accounts.code_folder(),
        taken_uids=accounts.taken_uids(),
        trial=accounts.try_out,
    )
    if found is not None:
        return found
    reasons = "; ".join(failures)
    if own and not allow_root:
        raise errors.AccountError(
            "you are root, and no unprivileged account can run the steps of your workflow",
            cause=f"none of these Pythons works for it: {reasons}",
            remedy="run the demo as an ordinary user, install a Python 3.11 that everybody may run (not one below "
            "/root), or say --allow-root to run the steps as root",
        )
    console.print(f"no unprivileged account can run a Python here ({reasons})", markup=False, highlight=False)
    return accounts.same_account(Path(sys.executable), accounts.code_folder())


def _folder_with_python(python: Path, folder: Path) -> Path:
    """Return a folder where `python` is this Python: its own, or one below `folder` that holds a link."""
    if (python.parent / "python").exists():  # a virtual environment works only under its own path
        return python.parent
    links = folder / "bin"
    links.mkdir(mode=0o755)
    (links / "python").symlink_to(python)
    return links


def _show(plan: Plan, console: Console) -> None:
    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    count = "an unknown number of" if plan.jobs is None else str(plan.jobs)
    names = ", ".join(file.name for file in plan.files)
    say(f"\na push of {names} starts {count} job(s), whose steps run:")
    for job in workflow_files.steps_of(plan.files):
        say(f"  {job.workflow} / {job.job}")
        for line in job.lines:
            say(f"    | {line}")
    mapped = [label for label in plan.labels if label.startswith(_HOSTED_PREFIXES)]
    say(f"labels asked for: {', '.join(plan.labels) or 'none'}")
    if mapped:
        say(
            f"{', '.join(mapped)} means GitHub's own machines; because this is a demo, the pool takes such "
            "jobs too, on this very machine"
        )
    foreign = [group for group in plan.groups if group.casefold() != "default"]
    if foreign:
        raise errors.WorkflowError(
            f"no runner group is called {', '.join(foreign)} in the demo's organization",
            remedy="remove `group:` from runs-on in a copy of the file",
        )
