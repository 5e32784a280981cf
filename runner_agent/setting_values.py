"""The text of a variable -> its value. Pure; each raises ValueError that says what is wrong, and never repeats a secret."""

import re
import shlex
from urllib.parse import urlsplit

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_VISIBLE = re.compile(r"[!-~]+")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def duration_seconds(text: str) -> float:
    """`90s`, `5m`, `12h`, `1h30m`, `2d` in seconds. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is not a duration")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def visible(text: str) -> str:
    """A secret that an HTTP header carries to the letter."""
    if not _VISIBLE.fullmatch(text):
        raise ValueError(
            "it holds white space, a line break or a character that is not ASCII, which no HTTP header carries as it is; "
            "probably the last line break of a file came along"
        )
    return text


def positive_duration(text: str) -> float:
    """Seconds, more than none."""
    seconds = duration_seconds(text)
    if seconds <= 0:
        raise ValueError(f"{text!r} is no time at all")
    return seconds


def command(text: str) -> tuple[str, ...]:
    """The words of a command line."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be split into words ({error})") from error
    if not words:
        raise ValueError("it holds no command")
    return words


def absolute(text: str) -> str:
    """An absolute path."""
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path")
    return text


def absolute_or_none(text: str) -> str:
    """An absolute path, or an empty text."""
    return absolute(text) if text else ""


def yes_or_no(text: str) -> bool:
    """True for yes."""
    if text.lower() not in {"yes", "no"}:
        raise ValueError(f"{text!r} is neither yes nor no")
    return text.lower() == "yes"


def positive_integer(text: str) -> int:
    """A whole number above zero."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ValueError(f"{text!r} is not a positive whole number")
    return int(text)


def labels(text: str) -> tuple[str, ...]:
    """Names with commas between; at least one."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise ValueError(f"{text!r} holds no label")
    return names


def reference(text: str) -> str:
    """Where a secret is to be found."""
    scheme, _, rest = text.partition(":")
    if scheme not in {"file", "env", "secretmanager"} or not rest:
        # The value itself may be a key that somebody pasted here, so it is not repeated.
        raise ValueError("it is not a reference to a secret")
    return text


def any_url(text: str) -> str:
    """A URL of HTTP, without a slash at its end."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{text!r} is not a URL")
    return text.rstrip("/")


def secure_url(text: str) -> str:
    """The same, but in the clear only to this very machine."""
    url = any_url(text)
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError(f"{text!r} would send credentials in the clear")
    return url


def anonymous(text: str) -> bool:
    """Whether no credentials are to be shown."""
    if text not in {"application-default", "anonymous"}:
        raise ValueError(f"{text!r} names no credentials")
    return text == "anonymous"
