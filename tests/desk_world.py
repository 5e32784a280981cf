"""A lease desk over records in memory, with a GitHub by its protocol and a mind that a test sets."""

from __future__ import annotations

from dataclasses import dataclass, field

from cell_records.change import read_cell
from cell_records.codec import cell_text
from cell_records.record import CellRecord
from cell_records.store import Stored, cell_key
from scaler.budget import MinuteBudget
from scaler.instances import Instances
from scaler.lease_desk import Ask, DeskTimes, KnownCell, LeaseDesk, Terms
from scaler.lease_ends import LeaseEnded
from scaler.registrar import Registrar, RunnerShape
from tests.factories import UID, a_record
from tests.scaler_parts import Clock, RegistrationsOfGitHub, records_over
from tests.simulation.forgetful_store import ForgetfulStore

CELL = "linux-a"
TIMES = DeskTimes(
    heartbeat=20.0, long_poll=0.05, reply_within=30.0, stop_ladder=10.0, hard_end_margin=300.0, dying=15.0
)
TERMS = Terms(
    pool="linux",
    shape=RunnerShape(labels=("linux",), runner_group_id=1),
    listen_max_seconds=300.0,
    job_timeout_seconds=3_600.0,
)
HERE = KnownCell(name=CELL, uid=UID, terms=TERMS, room=2)


@dataclass(slots=True)
class Mind:
    """What the deciding side answers, and what it was told."""

    closes: bool = False
    short: bool = False
    queued: int | None = 3
    told: list[LeaseEnded] = field(default_factory=list)
    nudges: int = 0

    def closes_when_empty(self, cell: str) -> bool:
        """See Mind of the desk."""
        return self.closes

    def queued_for(self, pool: str) -> int | None:
        """See Mind of the desk."""
        return self.queued

    def is_short(self, pool: str) -> bool:
        """See Mind of the desk."""
        return self.short

    def nudge(self) -> None:
        """See Mind of the desk."""
        self.nudges += 1

    def ended(self, event: LeaseEnded) -> None:
        """See Mind of the desk."""
        self.told.append(event)


class DeskWorld:
    """One cell and its desk."""

    def __init__(
        self,
        record: CellRecord | None = None,
        *,
        registrations: int = 10,
        github: RegistrationsOfGitHub | None = None,
    ) -> None:
        self.clock = Clock()
        self.store = ForgetfulStore()
        self.put(record or a_record())
        self.github = github or RegistrationsOfGitHub()
        self.mind = Mind()
        self.instances = Instances(self.clock)
        records = records_over(self.store)
        registrar = Registrar(
            self.github, records, budget=MinuteBudget(registrations), jit_call_seconds=15.0, clock=self.clock
        )
        self.desk = LeaseDesk(
            records=records,
            instances=self.instances,
            registrar=registrar,
            mind=self.mind,
            times=TIMES,
            clock=self.clock,
        )

    def put(self, record: CellRecord) -> None:
        """Set what stands in the store."""
        version = self.store.texts[cell_key(CELL)].version + 1 if self.store.texts else 1
        self.store.texts[cell_key(CELL)] = Stored(cell_text(record), version)

    @property
    def record(self) -> CellRecord:
        """What stands in the store."""
        record = read_cell(self.store, CELL)
        assert record is not None
        return record


def an_ask(number: int = 1, *, boot: str = "boot-1", uptime: float = 5.0) -> Ask:
    """What a young boot says."""
    return Ask(cell=CELL, boot=boot, ask=number, uptime_seconds=uptime)
