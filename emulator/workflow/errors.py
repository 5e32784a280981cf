"""The one tree of errors of this package: what is wrong, where in the file, and what to write instead.

WorkflowError           the file cannot be read as a workflow
├── ExpressionError     an expression cannot be parsed or evaluated
└── UnsupportedError    valid on GitHub, impossible or not rebuilt here
"""

from typing import Self


class WorkflowError(Exception):
    """A workflow file's author can act on this. `where` is a key path such as `jobs.test.steps[1].run`."""

    def __init__(
        self,
        problem: str,
        *,
        remedy: str = "",
        file: str | None = None,
        where: str | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.file = file
        self.where = where
        self.line = line

    def placed(self, *, file: str | None = None, where: str | None = None, line: int | None = None) -> Self:
        """The same error with the place filled in where it was not known yet."""
        self.file = self.file or file
        self.where = self.where or where
        self.line = self.line or line
        return self

    def __str__(self) -> str:
        place = self.file or ""
        if self.file and self.line:
            place = f"{self.file}:{self.line}"
        parts = [part for part in (place, self.where) if part]
        text = ": ".join([*parts, self.problem])
        return f"{text} {self.remedy}".rstrip()


class ExpressionError(WorkflowError):
    """An expression between `${{` and `}}` (or an `if:`) is not one, or cannot be computed."""


class UnsupportedError(WorkflowError):
    """GitHub would run it; this platform or this stand-in cannot, and silence would change the meaning."""
