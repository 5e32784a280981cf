"""Any trace comes back from its file as it was, and any text is a trace or one clear error."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator.errors import TraceUnusable
from simulator.trace import TraceJob
from simulator.trace_file import COLUMNS, parsed_trace, read_trace, write_trace, written_trace

_seconds = st.floats(0.0, allow_nan=False, allow_infinity=False)
_names = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() != "")
_labels = _names.map(lambda text: text.strip().lower()).filter(
    lambda text: text == text.strip().lower() and ";" not in text and text != ""
)
_jobs = st.builds(
    TraceJob,
    queued_at=_seconds,
    duration=_seconds,
    labels=st.frozensets(_labels, min_size=1, max_size=3),
    repository=_names,
    workflow=_names,
    job=_names,
)
_traces = st.lists(_jobs, min_size=1, max_size=8).map(
    lambda jobs: sorted(jobs, key=lambda job: job.queued_at)
)


def _below_the_header(cells: list[str]) -> str:
    return f"{','.join(COLUMNS)}\n{','.join(cells)}"


@settings(deadline=None)
@given(_traces)
@example([TraceJob(queued_at=0, duration=0, repository="a\r\nb", workflow='"', job="\x00\r")])
def test_what_was_written_is_read_back_as_it_was(trace: list[TraceJob]) -> None:
    assert parsed_trace(written_trace(trace), name="t.csv") == trace
    with TemporaryDirectory() as folder:
        write_trace(trace, Path(folder) / "t.csv")
        assert read_trace(Path(folder) / "t.csv") == trace


@settings(deadline=None)
@given(st.text() | st.lists(st.text(max_size=6), max_size=14).map(_below_the_header))
def test_any_text_is_a_trace_or_one_error(text: str) -> None:
    error = None
    try:
        trace = parsed_trace(text, name="t.csv")
    except TraceUnusable as caught:
        error = caught
    if error is None:
        assert trace
    else:
        assert "t.csv:" in str(error)
        assert error.remedy
