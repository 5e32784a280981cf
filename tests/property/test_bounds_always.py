"""No policy of the class that the bound is for pays less, whatever it does with its cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.assumptions import Assumptions
from simulator.bounds import least_paid
from simulator.trace import TraceJob

_SLACK = 1e-6
_WORLD = Assumptions(start=12.0, registration=6.0, restart=4.0)


@dataclass
class _Cell:
    """A worker pool: when each instance was begun, and when its last job ends."""

    begun: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    @property
    def until(self) -> float:
        """It is paid for until its last runner is done."""
        return max(self.ends)

    @property
    def paid(self) -> float:
        return sum(self.until - begun for begun in self.begun)

    def back(self, number: int) -> float:
        """When an instance is parked after its job."""
        return self.ends[number] + _WORLD.restart


class _Policy:
    """Does with each job anything that it may: hypothesis draws what."""

    def __init__(self, draw: st.DataObject, assumptions: Assumptions) -> None:
        self._draw = draw
        self._limits = assumptions
        self.gone: list[_Cell] = []
        self.up: list[_Cell] = []

    def burst(self, now: float, durations: list[float]) -> None:
        self.gone += [cell for cell in self.up if cell.until < now]
        self.up = [cell for cell in self.up if cell.until >= now]
        before, taken, raised = len(self.up), set[tuple[int, int]](), 0
        for duration in durations:
            choices: list[tuple[int, int]] = [
                (place, number)
                for place, cell in enumerate(self.up)
                for number in range(len(cell.begun))
                if (place, number) not in taken and cell.back(number) <= now + _WORLD.start
            ]
            choices += [(place, -1) for place in range(len(self.up))]
            if raised < self._limits.writes_per_minute and len(self.up) < self._limits.max_cells:
                choices.append((len(self.up), -1))
            place, number = self._draw.draw(st.sampled_from(choices))
            if place == len(self.up):
                self.up.append(_Cell())
                raised += 1
            cell = self.up[place]
            if number < 0:
                number, ready = len(cell.begun), now + _WORLD.start
                cell.begun.append(now)
                cell.ends.append(inf)
            else:
                ready = max(now, cell.back(number))
            cell.ends[number] = ready + _WORLD.registration + duration
            taken.add((place, number))
        assert before <= len(self.up) <= self._limits.max_cells


_bursts = st.lists(
    st.tuples(st.floats(61.0, 150.0), st.lists(st.floats(0.0, 200.0), min_size=1, max_size=6)),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=300)
@given(st.data(), _bursts, st.integers(1, 4), st.integers(1, 4))
def test_no_policy_pays_less_than_the_bound(
    data: st.DataObject, bursts: list[tuple[float, list[float]]], cells: int, writes: int
) -> None:
    assumptions = Assumptions(max_cells=cells, writes_per_minute=writes)
    policy, trace, now = _Policy(data, assumptions), list[TraceJob](), 0.0
    for pause, durations in bursts:
        now += pause
        policy.burst(now, durations)
        trace += [TraceJob(queued_at=now, duration=duration) for duration in durations]
    paid = sum(cell.paid for cell in (*policy.gone, *policy.up))
    assert least_paid(trace, assumptions) <= paid + _SLACK
