"""The last page of a demo: each job, what was stopped, what is left. Prints a verdict, makes none."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner_pool.demo.verdict import JobResult, Verdict

_LOG_LINES = 15


def print_report(console: Console, verdict: Verdict, *, elapsed_seconds: float) -> None:
    """Print the tables and, for each job that surprised, the end of its log."""
    console.print(_job_table(verdict))
    for result in verdict.surprises:
        console.print(f"\n[bold red]{_plain(result)} did not end as expected: {result.conclusion}[/]")
        if result.message:
            console.print(result.message, markup=False)
        for line in result.log.splitlines()[-_LOG_LINES:]:
            console.print(f"    {line}", markup=False, highlight=False)
    console.print(_summary_table(verdict, elapsed_seconds))
    for sentence in verdict.complaints:
        console.print(f"[bold red]not as it should be:[/] {sentence}")
    if not verdict.complaints:
        console.print("[bold green]every job ended as expected, none was stopped, nothing is left[/]")


def _job_table(verdict: Verdict) -> Table:
    table = Table(title="jobs", title_justify="left")
    for heading in ("workflow", "job", "result"):
        table.add_column(heading, no_wrap=True)
    for heading in ("wait", "run time"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("instance", no_wrap=True)
    for result in verdict.results:
        style = "" if result.as_expected else "bold red"
        table.add_row(
            Text(result.workflow),
            Text(result.name),
            Text(result.conclusion, style=style),
            _seconds(result.wait_seconds),
            _seconds(result.run_seconds),
            (result.instance or "-")[:16],
        )
    return table


def _summary_table(verdict: Verdict, elapsed_seconds: float) -> Table:
    table = Table(title="summary", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    expected = len(verdict.results) - len(verdict.surprises)
    table.add_row(
        "jobs that ended as expected", f"{expected} of {verdict.planned_jobs or len(verdict.results)}"
    )
    table.add_row("jobs stopped by the scaler", str(verdict.stopped_by_scaler))
    table.add_row("jobs stopped by something else", str(verdict.stopped_otherwise))
    table.add_row("idle instances scaled in", str(verdict.idle_scale_ins))
    table.add_row("registrations left", str(verdict.left.registrations))
    table.add_row("instances left", str(verdict.left.instances))
    table.add_row("processes left", str(verdict.left.processes))
    waits = sorted(result.wait_seconds for result in verdict.results if result.wait_seconds is not None)
    if waits:
        half, most = waits[len(waits) // 2], waits[int(len(waits) * 0.95)]
        table.add_row("wait of a job", f"{half:.1f} s for half of them, {most:.1f} s for 95 %")
    table.add_row("time", f"{elapsed_seconds:.1f} s")
    return table


def _plain(result: JobResult) -> str:
    return f"{result.workflow} / {result.name}".replace("[", r"\[")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
