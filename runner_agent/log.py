"""Log lines as Cloud Logging reads them: one JSON object a line on standard output.

`severity`, `message`, `time` and `logging.googleapis.com/labels` are its special fields
(https://cloud.google.com/logging/docs/structured-logging). Safe to call from any thread; a secret that was named
to me never gets through, wherever in a line it stands.
"""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime

MESSAGE_CHARACTERS_MOST = (
    16_000  # an entry of Cloud Logging may have 256 KB; a line for people needs far less
)
_SHORTEST_SECRET = 8  # a shorter text would blot out innocent words


def write_to_standard_output(line: bytes) -> None:
    """One write for one line, so that lines of several threads never mix."""
    try:
        os.write(1, line)
    except OSError:
        # Nobody reads us any more. A supervisor must not die of that.
        return


class Journal:
    """Writes entries that carry the same labels."""

    def __init__(self, *, write: Callable[[bytes], None], wall_clock: Callable[[], float]) -> None:
        self._write = write
        self._wall_clock = wall_clock
        self._labels: dict[str, str] = {}
        self._secrets: tuple[str, ...] = ()

    def label(self, **labels: str) -> None:
        """Attach these labels to every entry from now on."""
        self._labels = {**self._labels, **labels}

    def hide(self, secret: str) -> None:
        """Never let this text through, nor its form in quotes, in which errors like to show a value."""
        if len(secret) >= _SHORTEST_SECRET:
            self._secrets = tuple(dict.fromkeys((*self._secrets, secret, repr(secret)[1:-1])))

    def info(self, message: str, **labels: str) -> None:
        """Something normal that people may want to follow."""
        self.write("INFO", message, **labels)

    def warning(self, message: str, **labels: str) -> None:
        """Something that may heal by itself."""
        self.write("WARNING", message, **labels)

    def error(self, message: str, **labels: str) -> None:
        """Something that needs a person."""
        self.write("ERROR", message, **labels)

    def write(self, severity: str, message: str, **labels: str) -> None:
        """One entry."""
        for secret in self._secrets:
            message = message.replace(secret, "***")
        entry = {
            "severity": severity,
            "time": datetime.fromtimestamp(self._wall_clock(), UTC).isoformat(timespec="milliseconds"),
            "message": message[:MESSAGE_CHARACTERS_MOST],
            "logging.googleapis.com/labels": {**self._labels, **labels},
        }
        self._write(json.dumps(entry, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")
