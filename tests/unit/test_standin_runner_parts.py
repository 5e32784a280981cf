"""The pure parts of the stand-in runner."""

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from emulator.runner.contract import TaskResult, result_of_exit_code
from emulator.runner.errors import BadConfigurationError
from emulator.runner.file_commands import FileCommandError, pairs, path_entries
from emulator.runner.jit_configuration import JitConfiguration, RsaKey
from emulator.runner.job_log import JobLog
from emulator.runner.shells import ShellError, chosen_shell
from emulator.runner.signing import signed_jwt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("A=1\n", {"A": "1"}),
        ("A=1\r\nB=\r\n\nA=2", {"A": "2", "B": ""}),
        ("A=x=y<<z\n", {"A": "x=y<<z"}),
        ("A<<END\none\n\n=two\nEND\nB=1\n", {"A": "one\n\n=two", "B": "1"}),
        ("A<<END\nEND\n", {"A": ""}),
        ("A=a\u2028b\x0bc\n", {"A": "a\u2028b\x0bc"}),
    ],
)
def test_environment_files_hold_lines_and_blocks(text: str, expected: dict[str, str]) -> None:
    """The last value of a name wins."""
    assert pairs(text) == expected


@pytest.mark.parametrize("text", ["word\n", "=1\n", "<<END\nEND\n", "A<<\n", "A<<END\nend\n"])
def test_a_line_without_name_value_or_end_is_an_error(text: str) -> None:
    """Its text is in the message."""
    with pytest.raises(FileCommandError, match="Invalid"):
        pairs(text)


def test_path_files_keep_their_order() -> None:
    """Empty lines are nothing."""
    assert path_entries("/a\n\n/b b\n") == ["/a", "/b b"]


def test_the_signature_is_one_that_others_verify() -> None:
    """For keys of two sizes."""
    for size in (2048, 3072):
        private = rsa.generate_private_key(public_exponent=65537, key_size=size)
        numbers = private.private_numbers()
        key = RsaKey(
            numbers.public_numbers.n,
            numbers.d,
            numbers.p,
            numbers.q,
            numbers.dmp1,
            numbers.dmq1,
            numbers.iqmp,
        )
        token = signed_jwt({"iss": "me", "text": "ä"}, key)
        assert jwt.decode(token, private.public_key(), algorithms=["RS256"])["text"] == "ä"


def test_a_configuration_shows_nothing_of_its_key() -> None:
    """Neither in a repr nor in an error."""
    assert "12345" not in repr(RsaKey(12345, 12345, 12345, 12345, 12345, 12345, 12345))
    files = {".runner": {"AgentId": 1, "AgentName": "n"}}
    encoded = {
        name: base64.b64encode(json.dumps(content).encode()).decode() for name, content in files.items()
    }
    with pytest.raises(BadConfigurationError) as raised:
        JitConfiguration.decoded(base64.b64encode(json.dumps(encoded).encode()).decode())
    assert str(raised.value) == "The JIT configuration lacks '.credentials'."


@pytest.mark.parametrize(
    ("shell", "command"),
    [
        (None, ["/bin/bash", "-e", "S"]),
        ("bash", ["/bin/bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "S"]),
        ("sh", ["/bin/sh", "-e", "S"]),
        ("python", ["/bin/python3", "S"]),
        ("bash -x {0}", ["/bin/bash", "-x", "S"]),
        ("perl -w '{0}' 'a b'", ["/bin/perl", "-w", "S", "a b"]),
    ],
)
def test_a_shell_becomes_a_command_line(shell: str | None, command: list[str]) -> None:
    """`python` is taken as python3 where only that is installed."""
    installed = {"bash", "sh", "python3", "perl"}
    assert (
        chosen_shell(shell, lambda name: f"/bin/{name}" if name in installed else None).command("S")
        == command
    )


def test_without_bash_the_shell_is_sh() -> None:
    """As on the real runner."""
    assert chosen_shell(None, {"sh": "/bin/sh"}.get).command("S") == ["/bin/sh", "-e", "S"]


@pytest.mark.parametrize(
    ("shell", "said"), [("zsh", "zsh: command not found"), ("perl", "Invalid shell option")]
)
def test_a_shell_that_cannot_run_says_why(shell: str, said: str) -> None:
    """Not installed, or no place for the script."""
    with pytest.raises(ShellError, match=said):
        chosen_shell(shell, {"perl": "/bin/perl"}.get)


def test_masks_replace_the_longest_secret_first() -> None:
    """And every line of one that has several."""
    log = JobLog()
    log.mask("abc")
    log.mask("abcdef")
    log.mask("one\ntwo")
    log.mask("  ")
    for line in ("abcdef", "x abc y", "one", "  "):
        log.write(line)
    assert log.taken() == "***\nx *** y\n***\n  \n"
    assert log.taken() == ""


def test_commands_are_decoded_once() -> None:
    """%25 last of all: %250A is the text %0A."""
    log = JobLog()
    log.step_line("::error file=a%2Cb.py,line=3,col=1::50%25 of%0Atwo %250A")
    assert log.annotations == [
        {"level": "failure", "message": "50% of\ntwo %0A", "path": "a,b.py", "startLine": 3}
    ]
    assert log.step_line("::set-output name=a::b") == {"a": "b"}
    assert log.step_line("not ::error::a command") is None
    assert log.taken() == "##[error]50% of\ntwo %0A\nnot ::error::a command\n"


@pytest.mark.parametrize("result", list(TaskResult))
def test_a_worker_s_exit_code_tells_its_result(result: TaskResult) -> None:
    """100 and more; anything else is a failure."""
    assert result_of_exit_code(result.exit_code) is result
    assert result_of_exit_code(-9) is TaskResult.FAILED
    assert result_of_exit_code(1) is TaskResult.FAILED
