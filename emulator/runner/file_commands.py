"""The files a step writes to speak to the runner: GITHUB_ENV, GITHUB_OUTPUT, GITHUB_PATH. Pure: text -> pairs.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#environment-files
"""

from collections.abc import Iterator


class FileCommandError(Exception):
    """A line that is neither NAME=VALUE nor the start of a NAME<<DELIMITER block."""


def pairs(text: str) -> dict[str, str]:
    """The names and values of an environment or output file. Raises FileCommandError."""
    found: dict[str, str] = {}
    lines = iter(_lines(text))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, _, value = line.partition("=")
        elif heredoc >= 0:
            name, _, delimiter = line.partition("<<")
            if not name or not delimiter:
                raise FileCommandError(
                    f"Invalid format '{line}'. Name must not be empty and delimiter must not be empty"
                )
            value = _block(name, delimiter, lines)
        else:
            raise FileCommandError(f"Invalid format '{line}'")
        if not name:
            raise FileCommandError(f"Invalid format '{line}'. Name must not be empty")
        found[name] = value
    return found


def _block(name: str, delimiter: str, lines: Iterator[str]) -> str:
    collected: list[str] = []
    for line in lines:
        if line == delimiter:
            return "\n".join(collected)
        collected.append(line)
    raise FileCommandError(f"Invalid value. Matching delimiter not found '{delimiter}' (for '{name}')")


def path_entries(text: str) -> list[str]:
    """The folders of a path file, in the order written."""
    return [line for line in _lines(text) if line]


def _lines(text: str) -> list[str]:
    """Lines as shells end them; str.splitlines would also cut at characters that are data here."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
