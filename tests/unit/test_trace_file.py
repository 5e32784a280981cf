"""A trace as a file: what is read, and what each fault is told, with file, line, column, what was found and the remedy."""

from pathlib import Path

import pytest

from simulator.errors import TraceUnusable
from simulator.trace import TraceJob
from simulator.trace_file import parsed_trace, read_trace, write_trace, written_trace

HEADER = "queued_at_s,duration_s,labels,repo,workflow,job"
ROW = "0,60,self-hosted,acme/app,ci,build"
SECONDS = "Write seconds as digits, such as 90 or 182.5."


def told(text: str) -> list[str]:
    """The lines of the error, without the first and the last."""
    with pytest.raises(TraceUnusable) as caught:
        parsed_trace(text, name="t.csv")
    return [line.strip() for line in caught.value.what.splitlines()[1:]]


def rows(*given: str) -> str:
    return "\n".join((HEADER, *given, ""))


def test_a_row_is_a_job_with_its_labels_in_lower_case() -> None:
    text = rows('30.5,182,Self-Hosted; Linux,acme/app,"build, test",unit (3.11)')
    assert parsed_trace(text, name="t.csv") == [
        TraceJob(
            queued_at=30.5,
            duration=182.0,
            labels=frozenset({"self-hosted", "linux"}),
            repository="acme/app",
            workflow="build, test",
            job="unit (3.11)",
        )
    ]


def test_jobs_are_sorted_by_their_queueing_and_keep_their_order_within_a_moment() -> None:
    text = rows(*(f"{at},60,a,r,w,{name}" for at, name in ((9, "z"), (3, "b"), (3, "a"), (0, "c"))))
    assert [job.job for job in parsed_trace(text, name="t.csv")] == ["c", "b", "a", "z"]


def test_columns_may_stand_in_any_order_with_others_between_them() -> None:
    text = "conclusion,job,workflow,repo,labels,duration_s,queued_at_s\nsuccess,b,w,r,x,60,5\n"
    assert parsed_trace(text, name="t.csv") == [
        TraceJob(queued_at=5.0, duration=60.0, labels=frozenset({"x"}), repository="r", workflow="w", job="b")
    ]


def test_blank_lines_a_byte_order_mark_and_the_line_ends_of_windows_do_no_harm(tmp_path: Path) -> None:
    """Spreadsheets write all three."""
    file = tmp_path / "t.csv"
    file.write_bytes(b"\xef\xbb\xbf" + rows("", ROW, ",,,,,", "").replace("\n", "\r\n").encode())
    assert len(read_trace(file)) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", f"t.csv:1: the file is empty. Make the first line {HEADER}; further columns may follow."),
        (rows(), "t.csv:1: no job follows the header. Add a line for each job."),
        (
            "queued_at_s,labels,repo,workflow,job\n",
            (
                "t.csv:1: duration_s: the column is missing (found: 'queued_at_s,labels,repo,workflow,job'). "
                f"Make the first line {HEADER}; further columns may follow."
            ),
        ),
        (
            f"{HEADER},job\n",
            f"t.csv:1: job: the column stands 2 times (found: '{HEADER},job'). Keep one of them.",
        ),
        (
            rows(ROW, "0,3 min,a,r,w,j"),
            f"t.csv:3: duration_s: it is not a number (found: '3 min'). {SECONDS}",
        ),
        (rows("0,1_000,a,r,w,j"), f"t.csv:2: duration_s: it is not a number (found: '1_000'). {SECONDS}"),
        (rows("nan,1,a,r,w,j"), f"t.csv:2: queued_at_s: it is not a number (found: 'nan'). {SECONDS}"),
        (rows("0,,a,r,w,j"), f"t.csv:2: duration_s: the value is missing (found: ''). {SECONDS}"),
        (rows("0,inf,a,r,w,j"), f"t.csv:2: duration_s: the time is infinite (found: 'inf'). {SECONDS}"),
        (rows("0,1e999,a,r,w,j"), f"t.csv:2: duration_s: the time is infinite (found: '1e999'). {SECONDS}"),
        (
            rows("0,-5,a,r,w,j"),
            (
                "t.csv:2: duration_s: the time is negative (found: '-5'). "
                "Count from the first moment of the trace; 0 is the least."
            ),
        ),
        (
            rows("0,1,,r,w,j"),
            (
                "t.csv:2: labels: no pool serves a job without labels (found: ''). "
                "Write the labels of runs-on with ; between them, such as self-hosted;linux."
            ),
        ),
        (
            rows("0,1,a;;b,r,w,j"),
            (
                "t.csv:2: labels: a label is empty (found: 'a;;b'). "
                "Write the labels of runs-on with ; between them, such as self-hosted;linux."
            ),
        ),
        (
            rows("0,1,a, ,w,j"),
            "t.csv:2: repo: the value is missing (found: ' '). Write a name; any text will do.",
        ),
        (
            rows("0,1,a,r,w,j,k"),
            (
                "t.csv:2: the line has 7 values, the header 6. "
                "Give each column its value; put a text with a comma in quotes."
            ),
        ),
        (
            rows(ROW, '0,1,a,r,w,"j'),
            (
                "t.csv:3: it is not CSV (unexpected end of data). "
                'Put a text with a comma in quotes ("a, b"), and double a quote within ("").'
            ),
        ),
    ],
)
def test_a_fault_is_told_with_its_place_what_was_found_and_the_remedy(text: str, line: str) -> None:
    assert told(text) == [line]


def test_a_line_is_counted_as_an_editor_counts_it() -> None:
    """A quoted text may hold line ends."""
    assert told(rows('0,1,a,r,"w\nw",j', "0,x,a,r,w,j"))[0].startswith("t.csv:4: duration_s")


def test_all_faults_are_told_at_once() -> None:
    lines = told(rows("x,-1,,r,w,j", ROW, "0,1,a,r,w"))
    assert [line.split(": ")[:2] for line in lines] == [
        ["t.csv:2", "queued_at_s"],
        ["t.csv:2", "duration_s"],
        ["t.csv:2", "labels"],
        [
            "t.csv:4",
            "the line has 5 values, the header 6. Give each column its value; put a text with a comma in quotes.",
        ],
    ]


def test_of_many_faults_twenty_are_told_and_the_rest_counted() -> None:
    lines = told(rows(*["0,x,a,r,w,j"] * 50))
    assert len(lines) == 21
    assert lines[-1] == "and 30 more"


def test_an_error_cannot_move_the_cursor_of_a_terminal() -> None:
    (line,) = told(rows("0,\x1b[2J,a,r,w,j"))
    assert "\x1b" not in line


def test_a_file_that_is_not_there_and_one_that_is_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(TraceUnusable, match=r"none\.csv cannot be read: No such file") as absent:
        read_trace(tmp_path / "none.csv")
    assert absent.value.remedy
    binary = tmp_path / "b.csv"
    binary.write_bytes(HEADER.encode() + b"\n\xff\n")
    with pytest.raises(TraceUnusable, match=r"b\.csv:2: byte 0xff is not UTF-8 text"):
        read_trace(binary)


@pytest.mark.parametrize(
    "trace",
    [
        [],
        [TraceJob(queued_at=5, duration=1), TraceJob(queued_at=4, duration=1)],
        [TraceJob(queued_at=0, duration=float("inf"))],
        [TraceJob(queued_at=0, duration=float("nan"))],
        [TraceJob(queued_at=-1, duration=1)],
        [TraceJob(queued_at=0, duration=1, labels=frozenset())],
        [TraceJob(queued_at=0, duration=1, labels=frozenset({"a;b"}))],
        [TraceJob(queued_at=0, duration=1, labels=frozenset({"A"}))],
        [TraceJob(queued_at=0, duration=1, job="")],
        [TraceJob(queued_at=0, duration=1, job="\ud800")],
    ],
)
def test_what_reading_would_not_give_back_is_not_written(trace: list[TraceJob], tmp_path: Path) -> None:
    with pytest.raises(TraceUnusable):
        write_trace(trace, tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()


def test_a_path_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(TraceUnusable, match="cannot be written: Is a directory"):
        write_trace([TraceJob(queued_at=0, duration=1)], tmp_path)


def test_a_written_trace_has_the_columns_in_their_order_and_the_labels_sorted() -> None:
    job = TraceJob(queued_at=1.5, duration=60, labels=frozenset({"z", "a"}))
    assert written_trace([job]) == f"{HEADER}\n1.5,60.0,a;z,acme/app,ci,build\n"
