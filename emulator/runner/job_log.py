"""The log of a job: lines, masks, workflow commands, annotations. Sends nothing; the worker does.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

import re
import threading
from typing import Any

MASK = "***"
_COMMAND = re.compile(
    r"^\s*::(?P<name>[A-Za-z][A-Za-z0-9_-]*)(?:\s+(?P<properties>.*?))?::(?P<data>.*)$", re.DOTALL
)
_LEVELS = {"error": "failure", "warning": "warning", "notice": "notice"}
_CODE = re.compile("%[0-9A-Z]{2}")
_IN_DATA = {"%0D": "\r", "%0A": "\n", "%25": "%"}
_IN_PROPERTIES = _IN_DATA | {"%3A": ":", "%2C": ","}


class JobLog:
    """Collects what a job prints. Any thread may write; `taken` hands out what is new since the last call."""

    def __init__(self) -> None:
        self.annotations: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._masks: list[str] = []
        self._new: list[str] = []
        self._count = 0
        self._stop_token: str | None = None

    def mask(self, secret: str) -> None:
        """From here on the text is replaced wherever it appears, line by line for a text of several lines."""
        with self._lock:
            for text in {secret, *secret.splitlines()}:
                if text.strip() and text not in self._masks:
                    self._masks.append(text)
            self._masks.sort(key=len, reverse=True)  # a mask may hold another one

    def masked(self, text: str) -> str:
        """The text with every secret replaced."""
        for secret in list(self._masks):
            text = text.replace(secret, MASK)
        return text

    def write(self, line: str) -> None:
        """A line of the log."""
        with self._lock:
            self._new.append(self.masked(line))
            self._count += 1

    def report_error(self, message: str) -> None:
        """An error: a line, and an annotation of the job."""
        self._annotate("error", message, {})

    def taken(self) -> str:
        """The lines since the last call, as text."""
        with self._lock:
            lines, self._new = self._new, []
        return "".join(line + "\n" for line in lines)

    def length(self) -> int:
        """How many lines there have been."""
        return self._count

    def step_line(self, line: str) -> dict[str, str] | None:
        """A line that a step printed. Returns {name: value} for `set-output`, which the step must keep."""
        command = _COMMAND.match(line)
        if command is None:
            self.write(line)
            return None
        name = command["name"].lower()
        data = _unescaped(command["data"], _IN_DATA)
        if self._stop_token is not None:
            if command["name"] == self._stop_token:
                self._stop_token = None
            self.write(line)
            return None
        properties = _properties(command["properties"] or "")
        if name == "set-output":
            return {properties.get("name", ""): data}
        self._obey(name, data, properties, line)
        return None

    def _obey(self, name: str, data: str, properties: dict[str, str], line: str) -> None:
        match name:
            case "add-mask":
                if data.strip():
                    self.mask(data)
                self.write(f"::add-mask::{MASK}")
            case "stop-commands":
                self._stop_token = data
                self.write(line)
            case "error" | "warning" | "notice":
                self._annotate(name, data, properties)
            case "group" | "endgroup":
                self.write(f"##[{name}]{data}")
            case "debug":
                pass  # shown only when step debugging is on, and there is no switch for it here
            case _:
                self.write(line)

    def start_step(self) -> None:
        """Commands that a step has stopped are heard again in the next one."""
        self._stop_token = None

    def _annotate(self, name: str, message: str, properties: dict[str, str]) -> None:
        for index, line in enumerate(message.splitlines() or [""]):
            self.write(f"##[{name}]{line}" if index == 0 else line)
        place = {
            "path": properties.get("file", ".github"),
            "startLine": int(properties["line"]) if properties.get("line", "").isdigit() else 1,
        }
        self.annotations.append({"level": _LEVELS[name], "message": self.masked(message), **place})


def _properties(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(","):
        key, _, value = part.partition("=")
        found[key.strip()] = _unescaped(value, _IN_PROPERTIES)
    return found


def _unescaped(text: str, codes: dict[str, str]) -> str:
    return _CODE.sub(lambda found: codes.get(found.group(), found.group()), text)
