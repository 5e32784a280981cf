"""The agent's error tree. A message says what happened, the probable cause and the remedy; none has a secret."""

from collections.abc import Sequence

from runner_agent.contract import ExitReason


class AgentError(Exception):
    """An error that ends the agent with a documented exit reason."""

    reason: ExitReason = ExitReason.INTERNAL


class SettingsError(AgentError):
    """One or more settings are missing or wrong; `problems` has one sentence for each."""

    reason = ExitReason.BAD_SETTINGS

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class SameUserError(AgentError):
    """Agent and runner would share one account: a workflow step could read the cell's secret."""

    reason = ExitReason.SAME_USER


class UsedContainerError(AgentError):
    """A job has run in this container before, and that was not allowed."""

    reason = ExitReason.USED_CONTAINER


class RegistrationError(Exception):
    """A request of the agent to its registration had no success; asking again later may have."""


class UnreachableError(RegistrationError):
    """No usable answer came: no connection, a time-out, or a reply that does not fit the protocol."""


class RefusedError(RegistrationError):
    """The other side answered and said no."""

    def __init__(
        self,
        *,
        status: int,
        code: str,
        message: str,
        remedy: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{status} {code}: {message}" + (f" Remedy: {remedy}" if remedy else ""))
