"""A trace as a CSV file: read strictly, every fault told at once, and written so that reading gives it back.

Knows nothing of where a trace comes from. docs/reference/traces.md describes the format.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import TraceUnusable
from simulator.trace import Trace, TraceJob

COLUMNS = ("queued_at_s", "duration_s", "labels", "repo", "workflow", "job")
MOST_FAULTS_TOLD = 20
_LONGEST_FOUND = 60
# Stricter than Python's float, which takes 1_000, nan and the digits of every script.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_HEADER_REMEDY = f"Make the first line {','.join(COLUMNS)}; further columns may follow."
_SECONDS_REMEDY = "Write seconds as digits, such as 90 or 182.5."


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong in one place; `column` is empty where the whole line is meant."""

    line: int
    column: str
    what: str
    remedy: str


class _Wrong(ValueError):
    """What is wrong with one value, and the remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class _Row:
    """The cells of one record and the line it begins in."""

    line: int
    cells: Sequence[str]


def read_trace(path: Path) -> Trace:
    """The jobs in the file at `path`, sorted by the time of queueing. Raises TraceUnusable with every fault."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TraceUnusable(
            f"The trace {path} cannot be read: {error.strerror or type(error).__name__}",
            remedy="Give the path of a CSV file with --trace.",
        ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TraceUnusable(
            f"{path}:{line}: byte {content[error.start]:#04x} is not UTF-8 text",
            cause="A spreadsheet saved it in another encoding, or it is no CSV file.",
            remedy="Save it as CSV in UTF-8.",
        ) from error
    return parsed_trace(text, name=str(path))


def parsed_trace(text: str, *, name: str) -> Trace:
    """The jobs in the text of a CSV file, sorted by the time of queueing; jobs of one moment keep their order.

    `name` is what the error calls the file. Raises TraceUnusable with every fault.
    """
    faults: list[_Fault] = []
    rows = _rows(text, faults)
    header = next(rows, None)
    if header is None:
        faults = faults or [_Fault(1, "", "the file is empty", _HEADER_REMEDY)]
        raise _unusable(name, faults)
    where = _places(header, faults)
    jobs = []
    if not faults:
        jobs = [job for row in rows if (job := _job(row, where, len(header.cells), faults)) is not None]
        if not jobs and not faults:
            faults.append(_Fault(header.line, "", "no job follows the header", "Add a line for each job."))
    if faults:
        raise _unusable(name, faults)
    return sorted(jobs, key=lambda job: job.queued_at)


def written_trace(trace: Trace) -> str:
    """The text of a CSV file that `parsed_trace` reads back as the same jobs.

    Raises TraceUnusable for a trace that no such file can hold: without jobs, unsorted, or with a job that has a
    negative or endless time, an empty name, no label, or a label with `;`, upper-case letters or space around it.
    """
    lines = [",".join(COLUMNS)]
    for job in trace:
        names = (";".join(sorted(job.labels)), job.repository, job.workflow, job.job)
        times = (repr(float(job.queued_at)), repr(float(job.duration)))
        lines.append(",".join((*times, *map(_quoted, names))))
    text = "".join(f"{line}\n" for line in lines)
    # The one rule for what fits is the reader's, so it is asked.
    if parsed_trace(text, name="the trace to be written") != list(trace):
        raise TraceUnusable(
            "The trace cannot be written so that reading it gives it back",
            cause="Its jobs are not sorted by queued_at, or a label has `;`, upper-case letters or space around it.",
            remedy="Sort the jobs; write labels in lower case and without `;`.",
        )
    return text


def write_trace(trace: Trace, path: Path) -> None:
    """Write the jobs to the file at `path`. Raises TraceUnusable, also for a path that cannot be written."""
    try:
        path.write_bytes(written_trace(trace).encode())
    except UnicodeEncodeError as error:
        raise TraceUnusable(
            f"The trace {path} cannot be written: a name has a letter that UTF-8 does not know",
            remedy="Take lone surrogates out of the names.",
        ) from error
    except OSError as error:
        raise TraceUnusable(
            f"The trace {path} cannot be written: {error.strerror or type(error).__name__}",
            remedy="Give a path in a folder that exists and may be written to.",
        ) from error


def _quoted(text: str) -> str:
    """`text` as one value. Python's csv.writer leaves a carriage return bare when lines end in a line feed."""
    return '"' + text.replace('"', '""') + '"' if re.search(r'[,"\r\n]', text) else text


def _rows(text: str, faults: list[_Fault]) -> Iterator[_Row]:
    """The records that are not blank. Ends with a fault where the quoting is broken: what follows has no lines."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _Row(line, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        remedy = 'Put a text with a comma in quotes ("a, b"), and double a quote within ("").'
        faults.append(_Fault(line, "", f"it is not CSV ({error})", remedy))


def _places(header: _Row, faults: list[_Fault]) -> dict[str, int]:
    """At which cell each column stands."""
    names = [cell.strip() for cell in header.cells]
    found = f"found: {_shown(','.join(names))}"
    for column in COLUMNS:
        if column not in names:
            faults.append(_Fault(header.line, column, f"the column is missing ({found})", _HEADER_REMEDY))
        elif names.count(column) > 1:
            what = f"the column stands {names.count(column)} times ({found})"
            faults.append(_Fault(header.line, column, what, "Keep one of them."))
    return {column: names.index(column) for column in COLUMNS if column in names}


def _job(row: _Row, where: dict[str, int], width: int, faults: list[_Fault]) -> TraceJob | None:
    """The job of one record; None after adding what is wrong with it."""
    if len(row.cells) != width:
        what = f"the line has {len(row.cells)} values, the header {width}"
        remedy = "Give each column its value; put a text with a comma in quotes."
        faults.append(_Fault(row.line, "", what, remedy))
        return None
    cells = {column: row.cells[place] for column, place in where.items()}
    wrong = [
        fault for column, cell in cells.items() if (fault := _fault_of(cell, column, row.line)) is not None
    ]
    faults += wrong
    if wrong:
        return None
    return TraceJob(
        queued_at=_seconds(cells["queued_at_s"]),
        duration=_seconds(cells["duration_s"]),
        labels=_labels(cells["labels"]),
        repository=_name(cells["repo"]),
        workflow=_name(cells["workflow"]),
        job=_name(cells["job"]),
    )


def _fault_of(cell: str, column: str, line: int) -> _Fault | None:
    try:
        _READINGS.get(column, _name)(cell)
    except _Wrong as wrong:
        return _Fault(line, column, f"{wrong.what} (found: {_shown(cell)})", wrong.remedy)
    return None


def _seconds(cell: str) -> float:
    text = cell.strip()
    if not text:
        raise _Wrong("the value is missing", _SECONDS_REMEDY)
    if text.lower().lstrip("+-") in ("inf", "infinity"):
        raise _Wrong("the time is infinite", _SECONDS_REMEDY)
    if not _NUMBER.fullmatch(text):
        raise _Wrong("it is not a number", _SECONDS_REMEDY)
    seconds = float(text)
    if math.isinf(seconds):
        raise _Wrong("the time is infinite", _SECONDS_REMEDY)
    if seconds < 0:
        raise _Wrong("the time is negative", "Count from the first moment of the trace; 0 is the least.")
    return seconds


def _labels(cell: str) -> frozenset[str]:
    labels = [label.strip().lower() for label in cell.split(";")]
    if not all(labels):
        remedy = "Write the labels of runs-on with ; between them, such as self-hosted;linux."
        raise _Wrong("no pool serves a job without labels" if not any(labels) else "a label is empty", remedy)
    return frozenset(labels)


def _name(cell: str) -> str:
    if not cell.strip():
        raise _Wrong("the value is missing", "Write a name; any text will do.")
    return cell


_READINGS: dict[str, Callable[[str], object]] = {
    "queued_at_s": _seconds,
    "duration_s": _seconds,
    "labels": _labels,
}


def _unusable(name: str, faults: Sequence[_Fault]) -> TraceUnusable:
    told = [
        f"{name}:{fault.line}: {f'{fault.column}: ' if fault.column else ''}{fault.what}. {fault.remedy}"
        for fault in faults[:MOST_FAULTS_TOLD]
    ]
    if len(faults) > MOST_FAULTS_TOLD:
        told.append(f"and {len(faults) - MOST_FAULTS_TOLD} more")
    count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
    return TraceUnusable(
        f"The trace has {count}:\n" + "\n".join(f"  {_printable(line)}" for line in told),
        remedy="docs/reference/traces.md describes the format.",
    )


def _shown(cell: str) -> str:
    """The value for a message: short and on one line."""
    return repr(cell if len(cell) <= _LONGEST_FOUND else cell[:_LONGEST_FOUND] + "…")


def _printable(line: str) -> str:
    """`line` without what would move a terminal's cursor: names and values come from anybody's file."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)
