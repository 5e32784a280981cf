"""What a running demo shows."""

from dataclasses import replace

from rich.console import Console

from runner_pool.control_door import Instance, Job, Snapshot
from runner_pool.demo.screen import LiveScreen, PlainScreen, figures
from tests.unit.test_command_verdict import job


def snapshot(*jobs: Job) -> Snapshot:
    """Two cells, one of them open with a busy and an idle instance."""
    instances = (
        Instance(id="i-1", worker_pool="linux-s2-1", state="running", busy=True),
        Instance(id="i-2", worker_pool="linux-s2-1", state="running", busy=False),
    )
    return Snapshot(
        jobs=jobs, registrations=1, instances=instances, counts={"linux-s2-1": 2, "linux-s1-2": 0}
    )


QUEUED = job(id=2, status="queued", conclusion=None, started_at=None, completed_at=None, instance=None)
RUNNING = job(id=3, status="in_progress", conclusion=None, completed_at=None)


def test_the_figures_count_what_is_there() -> None:
    assert str(figures(snapshot(job(), QUEUED, RUNNING))) == (
        "jobs: 1 queued, 1 running, 1 ended | cells: 1 of 2 open, 2 asked for | "
        "instances: 1 busy, 1 idle | registrations: 1"
    )


def test_plain_lines_tell_each_ending_once_and_figures_at_changes_only() -> None:
    lines: list[str] = []
    screen = PlainScreen(lines.append)
    screen.show(snapshot(QUEUED), elapsed_seconds=0.0)
    screen.show(snapshot(job(), QUEUED), elapsed_seconds=0.5)
    screen.show(snapshot(job(), QUEUED), elapsed_seconds=1.5)
    screen.show(snapshot(job(), QUEUED), elapsed_seconds=9.0)
    assert lines == [
        f"   0.0 s {figures(snapshot(QUEUED))}",
        "   0.5 s   ✓ ci / test: success on i-1",
        f"   1.5 s {figures(snapshot(job(), QUEUED))}",
    ]


def test_the_picture_shows_cells_and_jobs_on_a_terminal() -> None:
    with Console(force_terminal=True, width=120, record=True, stderr=False) as console:
        screen = LiveScreen(console)
        screen.show(snapshot(job(name="[red] is a name"), RUNNING), elapsed_seconds=2.0)
        screen.close()
    text = console.export_text()
    assert "linux-s2-1" in text
    assert "●○" in text
    assert "[red] is a name" in text
    assert "1 more at zero" in text


def test_an_empty_world_is_recognized() -> None:
    empty = Snapshot(jobs=(job(),), registrations=0, instances=(), counts={"linux-s1-1": 0})
    assert empty.is_empty
    assert not replace(empty, registrations=1).is_empty
    assert not replace(empty, counts={"linux-s1-1": 1}).is_empty
    assert not snapshot().is_empty
