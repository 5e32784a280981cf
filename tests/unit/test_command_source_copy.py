"""The copy of a user's source: complete, safe, and never the original. (With git: the process room.)"""

import os
from pathlib import Path

import pytest

from runner_pool import errors
from runner_pool.demo.source_copy import copy_source


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small project outside of git."""
    folder = tmp_path / "project"
    (folder / "inner" / "empty").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "inner" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "inner" / "run.sh").chmod(0o700)
    return folder


def test_outside_of_git_everything_is_copied(source: Path, tmp_path: Path) -> None:
    (source / ".venv").mkdir()
    (source / ".venv" / "pyvenv.cfg").write_text("x")
    copied = copy_source(source, tmp_path / "copy", group=None)
    assert copied.files == 3
    assert not copied.with_git
    assert (copied.folder / ".venv" / "pyvenv.cfg").read_text() == "x"
    assert (copied.folder / "inner" / "empty").is_dir()


def test_a_change_to_the_copy_does_not_reach_the_original(source: Path, tmp_path: Path) -> None:
    copied = copy_source(source, tmp_path / "copy", group=None)
    (copied.folder / "a.txt").write_text("changed")
    assert (source / "a.txt").read_text() == "a"


def test_links_inside_stay_links_and_lead_to_the_copy(source: Path, tmp_path: Path) -> None:
    (source / "inner" / "up").symlink_to("../a.txt")
    (source / "absolute").symlink_to(source / "inner")
    copied = copy_source(source, tmp_path / "copy", group=None)
    assert (copied.folder / "inner" / "up").resolve() == copied.folder / "a.txt"
    assert (copied.folder / "absolute").resolve() == copied.folder / "inner"
    assert copied.left_out == ()


def test_a_link_that_leaves_the_folder_is_left_out_and_named(source: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    (source / "escape").symlink_to(secret)
    (source / "inner" / "escape").symlink_to("../../secret")
    (source / "folder").symlink_to(tmp_path)
    copied = copy_source(source, tmp_path / "copy", group=None)
    names = sorted(line.partition(":")[0] for line in copied.left_out)
    assert names == ["escape", "folder", "inner/escape"]
    assert not os.path.lexists(copied.folder / "escape")
    assert not os.path.lexists(copied.folder / "folder")


def test_a_pipe_is_left_out_and_not_waited_for(source: Path, tmp_path: Path) -> None:
    os.mkfifo(source / "pipe")
    copied = copy_source(source, tmp_path / "copy", group=None)
    assert copied.left_out == ("pipe: neither file, folder nor link",)


def test_what_the_owner_may_do_the_runners_group_may_read_and_run(source: Path, tmp_path: Path) -> None:
    (source / "private.txt").write_text("p")
    (source / "private.txt").chmod(0o600)
    copied = copy_source(source, tmp_path / "copy", group=None)
    assert (copied.folder / "private.txt").stat().st_mode & 0o777 == 0o640
    assert (copied.folder / "inner" / "run.sh").stat().st_mode & 0o777 == 0o750
    assert (source / "private.txt").stat().st_mode & 0o777 == 0o600


def test_a_source_that_is_no_folder_is_an_error_with_a_remedy(source: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.SourceError, match="is not a folder") as caught:
        copy_source(source / "a.txt", tmp_path / "copy", group=None)
    assert "--source" in caught.value.remedy
