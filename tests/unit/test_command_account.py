"""Who runs the steps of a demo."""

from pathlib import Path

import pytest
from rich.console import Console

from runner_pool import errors
from runner_pool.demo import account, invitation
from runner_pool.demo.invitation import Wishes, invited

OWN, SYSTEM, CODE = Path("/root/venv/python"), Path("/usr/bin/python3"), Path("/srv/code")


def closed_below_root(python: Path, code: Path, uid: int) -> str | None:
    """A trial that finds everything below /root closed."""
    assert uid >= 60000
    return "Permission denied" if python.is_relative_to("/root") or code.is_relative_to("/root") else None


def test_an_ordinary_user_runs_the_steps_as_himself_without_a_trial() -> None:
    def no_trial(python: Path, code: Path, uid: int) -> str | None:
        raise AssertionError("a trial needs root")

    found, failures = account.runner_account(
        effective_uid=1000, pythons=[OWN, SYSTEM], code=CODE, taken_uids=frozenset(), trial=no_trial
    )
    assert found is not None
    assert (found.uid, found.python, failures) == (None, OWN, ())


def test_root_gets_a_uid_that_nobody_has_and_the_first_python_that_works_for_it() -> None:
    found, failures = account.runner_account(
        effective_uid=0,
        pythons=[OWN, SYSTEM],
        code=CODE,
        taken_uids=frozenset({60100, 60101}),
        trial=closed_below_root,
    )
    assert found is not None
    assert (found.uid, found.python) == (60102, SYSTEM)
    assert failures == ("/root/venv/python: Permission denied",)
    assert "uid 60102" in found.explanation


def test_root_without_a_usable_python_gets_no_account_and_every_reason() -> None:
    found, failures = account.runner_account(
        effective_uid=0,
        pythons=[OWN, SYSTEM],
        code=Path("/root/code"),
        taken_uids=frozenset(),
        trial=closed_below_root,
    )
    assert found is None
    assert len(failures) == 2


@pytest.fixture
def no_account_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "try_out", lambda python, code, uid: "Permission denied")


@pytest.fixture
def wishes(tmp_path: Path) -> Wishes:
    """A user's own workflow, with consent."""
    workflow = tmp_path / "ci.yml"
    workflow.write_text("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: make}]}}\n")
    return Wishes(workflow=workflow, source=tmp_path, consent_given=True)


@pytest.mark.usefixtures("no_account_fits")
def test_a_users_steps_do_not_run_as_root_unless_that_was_asked_for(wishes: Wishes) -> None:
    def invite(*, allow_root: bool = False) -> invitation.Performance:
        asked = Wishes(
            workflow=wishes.workflow, source=wishes.source, consent_given=True, allow_root=allow_root
        )
        return invited(asked, console=Console(quiet=True), confirm=lambda _: False, effective_uid=0)

    with pytest.raises(errors.AccountError) as caught:
        invite()
    assert "--allow-root" in caught.value.remedy
    assert invite(allow_root=True).account.uid is None


@pytest.mark.usefixtures("no_account_fits")
def test_the_bundled_steps_run_as_root_with_one_clear_line() -> None:
    console = Console(record=True, quiet=False, width=200, file=open("/dev/null", "w"))  # noqa: SIM115
    performance = invited(Wishes(), console=console, confirm=lambda _: False, effective_uid=0)
    console.file.close()
    assert performance.account.uid is None
    assert "the steps run as root, like the demo itself" in console.export_text()


def test_the_template_names_the_account_and_never_both_ways(tmp_path: Path) -> None:
    own = invited(Wishes(), console=Console(quiet=True), confirm=lambda _: False, effective_uid=1000)
    environment = own.cell_environment(tmp_path, scaler_url="http://127.0.0.1:1")
    assert environment["RUNNER_POOL_ALLOW_SAME_USER"] == "yes"
    assert "RUNNER_POOL_RUNNER_USER" not in environment
    assert environment["RUNNER_POOL_RUNNER_COMMAND"].endswith(" -m emulator.runner")
    assert Path(environment["TMPDIR"]).is_relative_to(tmp_path)


def test_a_users_steps_are_shown_and_refused_without_a_yes(wishes: Wishes) -> None:
    console = Console(record=True, width=200, file=open("/dev/null", "w"))  # noqa: SIM115
    asked = Wishes(workflow=wishes.workflow, source=wishes.source)
    with pytest.raises(errors.UsageError, match="nothing was run"):
        invited(asked, console=console, confirm=lambda _: False, effective_uid=1000)
    console.file.close()
    shown = console.export_text()
    assert "| make" in shown
    assert "ubuntu-latest means GitHub's own machines" in shown


@pytest.mark.parametrize("wishes_alone", [Wishes(workflow=Path("x.yml")), Wishes(source=Path())])
def test_workflow_and_source_belong_together(wishes_alone: Wishes) -> None:
    with pytest.raises(errors.UsageError, match="belong together"):
        invited(wishes_alone, console=Console(quiet=True), confirm=lambda _: True, effective_uid=1000)


def test_a_runner_group_that_the_demo_does_not_have_is_refused(tmp_path: Path) -> None:
    """A job for an unknown group would stay queued for ever."""
    workflow = tmp_path / "ci.yml"
    workflow.write_text("on: push\njobs: {a: {runs-on: {group: big}, steps: [{run: make}]}}\n")
    asked = Wishes(workflow=workflow, source=tmp_path, consent_given=True)
    with pytest.raises(errors.WorkflowError, match="no runner group is called big"):
        invited(asked, console=Console(quiet=True), confirm=lambda _: True, effective_uid=1000)
