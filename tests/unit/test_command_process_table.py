"""Who descends from whom, read from a made-up /proc."""

from pathlib import Path

from runner_pool.process_table import Process, is_living, living_descendants


def process(proc: Path, pid: int, parent: int, *, state: str = "S", name: str = "sh", start: int = 5) -> None:
    """Write the files of one process."""
    folder = proc / str(pid)
    folder.mkdir()
    rest = " ".join(["0"] * 17)
    (folder / "stat").write_text(f"{pid} ({name}) {state} {parent} {rest} {start} 0 0\n")
    (folder / "cmdline").write_bytes(name.encode() + b"\0-c\0true\0")


def test_children_of_children_count_and_others_do_not(tmp_path: Path) -> None:
    process(tmp_path, 10, 1)
    process(tmp_path, 12, 11)  # its parent's pid is higher than some reader would expect
    process(tmp_path, 11, 10)
    process(tmp_path, 20, 1)
    (tmp_path / "uptime").write_text("1")
    assert [found.pid for found in living_descendants(10, proc=tmp_path)] == [11, 12]


def test_a_zombie_does_not_count_but_its_children_do(tmp_path: Path) -> None:
    process(tmp_path, 10, 1)
    process(tmp_path, 11, 10, state="Z")
    process(tmp_path, 12, 11)
    assert [found.pid for found in living_descendants(10, proc=tmp_path)] == [12]


def test_a_name_with_parentheses_and_spaces_is_read(tmp_path: Path) -> None:
    process(tmp_path, 10, 1)
    process(tmp_path, 11, 10, name="a) S 1 (b")
    (found,) = living_descendants(10, proc=tmp_path)
    assert (found.pid, found.parent_pid, found.command) == (11, 10, "a) S 1 (b -c true")


def test_a_process_that_ends_during_the_look_is_passed_over(tmp_path: Path) -> None:
    process(tmp_path, 10, 1)
    (tmp_path / "11").mkdir()
    assert living_descendants(10, proc=tmp_path) == ()


def test_another_process_with_the_same_pid_is_not_the_same(tmp_path: Path) -> None:
    process(tmp_path, 10, 1, start=7)
    known = Process(pid=10, parent_pid=1, zombie=False, started_ticks=7, command="sh")
    later = Process(pid=10, parent_pid=1, zombie=False, started_ticks=8, command="sh")
    assert is_living(known, proc=tmp_path)
    assert not is_living(later, proc=tmp_path)
