"""Which of several scaler processes decides. Only efficiency and bounds rest on it; no job's life does.

Instances wait at one process, and only the leader has offers for them. After a deployment Cloud Run sends all callers to the new
process and may let the old one live for many minutes, so the lead follows the callers.
"""

from __future__ import annotations

from collections.abc import Callable

from cell_records.deployment import DeploymentRecord, claimed, given_up, led_by
from scaler.records import Records


class Leadership:
    """This process's hold on the lead, renewed well before it runs out."""

    def __init__(
        self,
        records: Records,
        *,
        who: str,
        ttl_seconds: float,
        clock: Callable[[], float],
        heard: Callable[[], bool] | None = None,
    ) -> None:
        """`who`: a name no other process has. `clock`: seconds since the epoch, as in the records.

        `heard`: whether callers reach this process; None where nobody calls, so that nothing follows from silence.
        """
        self.who = who
        self._heard = heard
        self._records = records
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Whether this process leads now; a slow renewal makes it false before another may take over."""
        return self._clock() < self._until

    async def renew(self) -> bool:
        """Take or keep the lead; hand it to a successor that callers reach, once they no longer reach this process.

        Raises what the records raise; the hold then runs out by itself.
        """
        heard = None if self._heard is None else self._heard()

        def transition(record: DeploymentRecord) -> DeploymentRecord | None:
            now, ttl = self._clock(), self._ttl_seconds
            led = led_by(record, who=self.who, now=now, ttl_seconds=ttl, heard=heard is not False)
            return claimed(record, who=self.who, now=now, ttl_seconds=ttl) if led is None and heard else led

        before = self._clock()
        kept = await self._records.change_deployment(transition)
        leads = kept is not None and kept.leader == self.who
        self._until = before + self._ttl_seconds if leads else 0.0
        return self.held

    async def give_up(self) -> None:
        """Let a successor start at once."""
        self._until = 0.0
        await self._records.change_deployment(lambda record: given_up(record, who=self.who))
