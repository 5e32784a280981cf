"""Which of several scaler processes decides. Only efficiency and bounds rest on it; no job's life does."""

from __future__ import annotations

from collections.abc import Callable

from cell_records.deployment import DeploymentRecord, given_up, led_by
from scaler.records import Records


class Leadership:
    """This process's hold on the lead, renewed well before it runs out."""

    def __init__(self, records: Records, *, who: str, ttl_seconds: float, clock: Callable[[], float]) -> None:
        """`who`: a name no other process has. `clock`: seconds since the epoch, as in the records."""
        self.who = who
        self._records = records
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Whether this process leads now; a slow renewal makes it false before another may take over."""
        return self._clock() < self._until

    async def renew(self) -> bool:
        """Take or keep the lead. Raises what the records raise; the hold then runs out by itself."""

        def transition(record: DeploymentRecord) -> DeploymentRecord | None:
            return led_by(record, who=self.who, now=self._clock(), ttl_seconds=self._ttl_seconds)

        before = self._clock()
        kept = await self._records.change_deployment(transition)
        self._until = before + self._ttl_seconds if kept is not None else 0.0
        return self.held

    async def give_up(self) -> None:
        """Let a successor start at once."""
        self._until = 0.0
        await self._records.change_deployment(lambda record: given_up(record, who=self.who))
