"""How long the stand-in GitHub takes, by name, with where each number comes from. Knows no clock.

`scaled` shortens what a test would otherwise wait for. What is a right of the client and not a delay (how long a
token lives, the windows of the rate limits, how long a message poll is held) is never scaled.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """All in seconds."""

    # "If GitHub Actions does not see the runner pick up the job within 60 seconds, the job is re-queued":
    # https://docs.github.com/en/actions/reference/runners/self-hosted-runners
    pick_up_seconds: float = 60.0

    # The lock of a job is ten minutes and the runner renews it every minute; a runner killed in the middle of a
    # job loses it after 9 m 36 s to 9 m 45 s (field reports, and JobDispatcher.cs of actions/runner).
    lock_seconds: float = 600.0
    renewal_seconds: float = 60.0

    # A second session is refused while the first lives; the runner tries for four minutes
    # (BrokerMessageListener.cs). That a silent session ends sooner than that is assumed.
    session_silence_seconds: float = 120.0

    # A runner is shown offline when it has not polled for a while. The length is assumed.
    offline_after_seconds: float = 60.0

    # Webhooks follow the event after about a second (field reports).
    webhook_seconds: float = 1.0

    def scaled(self, factor: float) -> Self:
        """The same world, `factor` times as slow."""
        return type(self)(
            pick_up_seconds=self.pick_up_seconds * factor,
            lock_seconds=self.lock_seconds * factor,
            renewal_seconds=self.renewal_seconds * factor,
            session_silence_seconds=self.session_silence_seconds * factor,
            offline_after_seconds=self.offline_after_seconds * factor,
            webhook_seconds=self.webhook_seconds * factor,
        )
