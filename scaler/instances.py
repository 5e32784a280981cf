"""What this process has heard from instances: who is parked, who was offered a lease, what each lease last
said.

Memory only, lost at a restart and learned again within a heartbeat: no job's life rests on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from scaler.core.model import LeaseState

# An instance between two polls is still parked: a poll is followed by the next one at once.
BETWEEN_POLLS_SECONDS = 3.0

# An offer that was not taken up by then is made to another; the reply was lost or the instance is gone.
OFFER_SECONDS = 10.0


@dataclass(slots=True)
class _Parked:
    poll: asyncio.Future[bool] | None
    last_seen: float
    parked_at: float
    offered_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseHeard:
    """What an instance last said of its lease. `since`: when that state began; `heard_at`: its last sign of
    life.
    """

    cell: str
    state: LeaseState
    since: float
    heard_at: float
    seq: int = 0
    job: str | None = None


class Instances:
    """Parked instances, open offers and heard leases of this process."""

    def __init__(self, clock: Callable[[], float], *, monotonic: Callable[[], float] | None = None) -> None:
        """`clock`: seconds since the epoch. `monotonic`: what silence is measured with, so that a clock that is set
        forward silences nobody.
        """
        self._clock = clock
        self._monotonic = monotonic or clock
        self._begun_at = self._monotonic()
        self._lease_heard_at: dict[str, float] = {}
        # By cell and boot: a decision asks for one cell after another, and a thousand may be parked in all.
        self._parked: dict[str, dict[str, _Parked]] = {}
        self._unmet: set[str] = set()
        self._leases: dict[str, LeaseHeard] = {}
        self._heard_in: dict[str, float] = {}

    def poll_is_news(self, *, cell: str, boot: str) -> bool:
        """Whether a poll that is about to begin changes what a decision would see or could do.

        It does when the boot was not parked, when it has lost its offer, and when an offer was made to its cell that
        nobody waited for. Otherwise the instance only goes on waiting, as a thousand do every few seconds.
        """
        parked = self._parked.get(cell, {}).get(boot)
        return parked is None or parked.offered_at is not None or cell in self._unmet

    async def poll(self, *, cell: str, boot: str, seconds: float) -> bool:
        """Keep a parked instance waiting for an offer; True when it got one. A newer poll of the boot ends
        the older one.
        """
        now = self._clock()
        self._heard_in[cell] = now
        self._unmet.discard(cell)
        waiting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        boots = self._parked.setdefault(cell, {})
        parked = boots.get(boot)
        if parked is None:
            parked = boots[boot] = _Parked(poll=None, last_seen=now, parked_at=now)
        if parked.poll is not None and not parked.poll.done():
            parked.poll.set_result(False)
        parked.poll, parked.last_seen, parked.offered_at = waiting, now, None
        try:
            return await asyncio.wait_for(waiting, seconds)
        except TimeoutError:
            return False
        finally:
            parked.last_seen = self._clock()
            if parked.poll is waiting:
                parked.poll = None

    def release(self) -> None:
        """Answer every poll now, because this process is going to end; the instances ask its successor."""
        for boots in self._parked.values():
            for parked in boots.values():
                if parked.poll is not None and not parked.poll.done():
                    parked.poll.set_result(False)

    def offer(self, cell: str, leases: int) -> int:
        """Offer leases to instances of a cell that wait right now, the longest parked first; gives how many
        were made.
        """
        waiting = [
            parked
            for parked in self._parked.get(cell, {}).values()
            if parked.poll is not None and not parked.poll.done()
        ]
        chosen = sorted(waiting, key=lambda parked: parked.parked_at)[:leases]
        for parked in chosen:
            assert parked.poll is not None
            parked.poll.set_result(True)
            parked.offered_at = self._clock()
        if len(chosen) < leases:
            # Those who are between two polls shall have it with their next one, not with some later tick.
            self._unmet.add(cell)
        return len(chosen)

    def left(self, cell: str, boot: str) -> None:
        """This boot is no longer parked: its lease stands in the record, or it has gone."""
        self._parked.get(cell, {}).pop(boot, None)

    def parked(self, cell: str) -> int:
        """How many instances of a cell are parked, those with an open offer included."""
        return len(self.present().get(cell, {}))

    def offered(self, cell: str) -> int:
        """How many of them have an open offer."""
        return sum(self.present().get(cell, {}).values())

    def present(self) -> Mapping[str, Mapping[str, bool]]:
        """The parked boots by cell, and whether each has an open offer; those that are silent are forgotten."""
        now = self._clock()
        for boots in self._parked.values():
            for boot in [boot for boot, parked in boots.items() if _is_gone(parked, now)]:
                del boots[boot]
        self._parked = {cell: boots for cell, boots in self._parked.items() if boots}
        return {
            cell: {boot: parked.offered_at is not None for boot, parked in boots.items()}
            for cell, boots in self._parked.items()
        }

    def hear(self, *, lease: str, cell: str, state: LeaseState, seq: int, job: str | None) -> bool:
        """Take what an instance says of its lease; False when it says no other state than before, or something later was
        heard before (`seq` is stale).
        """
        now = self._clock()
        self._heard_in[cell] = now
        self._lease_heard_at[lease] = self._monotonic()
        before = self._leases.get(lease)
        if before is not None and seq <= before.seq:
            return False
        if before is not None and before.state is state:
            self._leases[lease] = replace(before, heard_at=now, seq=seq, job=job or before.job)
            return False
        self._leases[lease] = LeaseHeard(cell=cell, state=state, since=now, heard_at=now, seq=seq, job=job)
        return True

    def heard(self, lease: str) -> LeaseHeard | None:
        """What was last heard of a lease by this process."""
        return self._leases.get(lease)

    def silence(self, lease: str) -> float:
        """For how many seconds this process has not heard of a lease; its own start counts as a word of each."""
        return self._monotonic() - self._lease_heard_at.get(lease, self._begun_at)

    def forget(self, lease: str) -> None:
        """The lease has left the record."""
        self._leases.pop(lease, None)
        self._lease_heard_at.pop(lease, None)

    def keep_only(self, leases: set[str], *, silent_seconds: float = 0.0) -> None:
        """Forget every lease but these, unless it was heard of so lately that its record may only not have been read yet."""
        for gone in set(self._leases) - leases:
            if self.silence(gone) >= silent_seconds:
                self.forget(gone)

    def silent_for(self, cell: str, *, since: float) -> float:
        """For how many seconds nothing was heard of a cell; counted from `since` if never."""
        return self._clock() - self._heard_in.get(cell, since)


def _is_gone(parked: _Parked, now: float) -> bool:
    """Neither waits, nor is about to poll again or to take its offer up."""
    if parked.poll is not None or now <= parked.last_seen + BETWEEN_POLLS_SECONDS:
        return False
    return parked.offered_at is None or now >= parked.offered_at + OFFER_SECONDS
