"""References lead to secrets; what leads nowhere is told without showing anything."""

from pathlib import Path

import pytest

from scaler.errors import SecretUnreadable
from scaler.secrets import SecretReference, SecretSource, resolve


def reader(name: str) -> bytes:
    return {
        "projects/p/secrets/s/versions/latest": b"from the manager\n",
        "projects/p/secrets/b/versions/1": b"\xff",
    }[name]


def resolved(text: str, env: dict[str, str] | None = None) -> str:
    return resolve(SecretReference.parsed(text), env or {}, reader).reveal()


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_files_secret_comes_without_its_line_end(tmp_path: Path, ending: str) -> None:
    (tmp_path / "key").write_bytes(f"line 1\nline 2{ending}".encode())
    assert resolved(f"file:{tmp_path}/key") == "line 1\nline 2"


def test_a_secret_comes_from_the_environment() -> None:
    assert resolved("env:APP_KEY", {"APP_KEY": "x"}) == "x"


@pytest.mark.parametrize("version", ["", "/versions/latest"])
def test_a_secret_comes_from_secret_manager_latest_unless_told(version: str) -> None:
    assert resolved(f"secretmanager:projects/p/secrets/s{version}") == "from the manager"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "file:",
        "file:key",
        "env:",
        "env:A B",
        "env:1A",
        "secretmanager:hunter2",
        "secretmanager:projects/p/secrets/s/x/1",
        "vault:x",
    ],
)
def test_what_is_no_reference_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        SecretReference.parsed(text)
    place = text.partition(":")[2]
    assert not place or place not in str(refused.value)


@pytest.mark.parametrize("text", ["file:/a/b", "env:A_B", "secretmanager:projects/p/secrets/s/versions/3"])
def test_a_reference_reads_back(text: str) -> None:
    assert str(SecretReference.parsed(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file:/nowhere/key", r"file:/nowhere/key cannot be read: No such file"),
        ("file:/tmp", r"cannot be read: Is a directory"),
        ("env:UNSET", r"env:UNSET is not set"),
        ("env:EMPTY", r"env:EMPTY is empty"),
        ("secretmanager:projects/p/secrets/b/versions/1", r"is not text"),
    ],
)
def test_a_reference_that_leads_nowhere_is_told_with_a_remedy(text: str, said: str) -> None:
    with pytest.raises(SecretUnreadable, match=said) as refused:
        resolved(text, {"EMPTY": " \n"})
    assert refused.value.remedy
    assert refused.value.exit_code == 3


def test_a_large_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "video").write_bytes(b"x" * 70_000)
    with pytest.raises(SecretUnreadable, match="larger than 64 KiB"):
        resolved(f"file:{tmp_path}/video")


def test_each_source_can_be_resolved() -> None:
    assert {
        SecretReference.parsed(text).source
        for text in ("file:/a", "env:A", "secretmanager:projects/p/secrets/s")
    } == set(SecretSource)
