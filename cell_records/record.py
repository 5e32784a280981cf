"""PURE: what a cell's record holds and every change it may go through.

Each function takes a record and gives the next one, or a `Refused` with its reason; none reads a clock or a
store. A guard here is what keeps a running job alive, so every guard has a name in the protocol and a test
that fails without it. They stand in one file, because whoever checks the promise must see all of them together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from cell_records.holds import hold_in, may_have
from cell_records.obstacles import ObstacleMet, with_obstacle

# Boots that have had their lease. Boots born before the last zero are refused by age, so only those since
# then matter; the bound keeps a cell that never closes from growing its record. A replay older than that
# could cost one registration, never a job.
ENDED_BOOTS_KEPT = 256


class Gate(Enum):
    """Whether new leases may stand in the record."""

    OPEN = "open"
    CLOSED = "closed"


class CellState(Enum):
    """Where a cell is between its zeros; read off the record, never stored."""

    ZERO = "zero"
    OPEN = "open"
    CLOSING = "closing"


class Refusal(Enum):
    """Why a change was not made; the value is the code that goes over the wire."""

    GATE_CLOSED = "gate_closed"
    GATE_OPEN = "gate_open"
    NO_ROOM = "no_room"
    STALE_ASK = "stale_ask"
    BOOT_RETIRED = "boot_retired"
    UNKNOWN_LEASE = "unknown_lease"
    LEASES_STAND = "leases_stand"
    NOT_SETTLED = "not_settled"
    COOLING = "cooling"
    HELD = "held"
    NOT_THE_WITNESS = "not_the_witness"
    NO_RECORD = "no_record"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A change that the protocol forbids now."""

    reason: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one boot to register one runner and run one job. Times are seconds since the epoch."""

    id: str
    boot: str
    ask: int
    runner_name: str
    started_at: float
    hard_end: float
    runner_id: int | None = None
    job_id: int | None = None
    repository: str | None = None
    dying_until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ghost:
    """A registration that may be left at GitHub though no instance will ever use it."""

    runner_name: str
    runner_id: int | None
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """One cell. `zeroed_at` is the moment its last zero was confirmed, in seconds since the epoch.

    `served_at`: the start of the youngest lease that is known to have had a job; `obstacles`: see there.
    `lowered_at`: when a write of zero was last about to be sent. `hold`: for what the cell is kept from opening and from new
    leases (see `holds`); empty when it is not. `canary_since`: when the changed template that this cell is to try first was
    released in it; 0 when it is no canary. `lost_at`: the start of the youngest lease whose instance was lost with its job.
    `location`: project and region of its worker pool (`projects/P/locations/R`); empty when it is not known.
    `changed_at`: when its template was last changed, as far as it was by a hold; what it has served before says nothing of it.
    """

    owner: str
    uid: str
    gate: Gate
    leases: tuple[Lease, ...] = ()
    zero_seen: bool
    zeroed_at: float
    ended_boots: tuple[str, ...] = ()
    ghosts: tuple[Ghost, ...] = ()
    obstacles: tuple[ObstacleMet, ...] = ()
    served_at: float = 0.0
    lowered_at: float = 0.0
    hold: str = ""
    canary_since: float = 0.0
    lost_at: float = 0.0
    changed_at: float = 0.0
    location: str = ""
    op_nonce: str = ""

    @property
    def state(self) -> CellState:
        """ZERO, OPEN or CLOSING."""
        if self.gate is Gate.OPEN:
            return CellState.OPEN
        return CellState.ZERO if self.zero_seen else CellState.CLOSING

    def lease(self, lease_id: str) -> Lease | None:
        """The lease of that id, while it stands."""
        return next((lease for lease in self.leases if lease.id == lease_id), None)

    def lease_of(self, boot: str) -> Lease | None:
        """The lease of that boot, while it stands."""
        return next((lease for lease in self.leases if lease.boot == boot), None)


Outcome = CellRecord | Refused


def contradiction(record: CellRecord) -> str | None:
    """What no sequence of our own changes can have written; such a record is another hand's, so its cell is
    left alone.
    """
    if record.gate is Gate.CLOSED and record.leases:
        return "the gate is closed though leases stand"
    if record.gate is Gate.OPEN and record.zero_seen:
        return "the gate is open though a zero is noted"
    boots = [lease.boot for lease in record.leases]
    if len(set(boots)) < len(boots) or len({lease.id for lease in record.leases}) < len(boots):
        return "a boot or an id has two leases"
    if not set(boots).isdisjoint(record.ended_boots):
        return "a retired boot has a lease"
    return None


def first_record(
    *,
    owner: str,
    uid: str,
    count: int,
    settled: bool,
    now: float,
    untouched: bool = False,
    location: str = "",
) -> Outcome:
    """The record of a cell that has none: only at a settled zero, where nothing can be running.

    A missing record of a cell with instances may be a lost one, and unknown is not empty: such a cell stays
    as it is. `untouched`: the worker pool was never changed since it was made with count 0, so no instance of
    it was ever there, and it may open at once; any other may just have been zeroed.
    """
    if count != 0 or not settled:
        return Refused(reason=Refusal.NOT_SETTLED)
    zeroed_at = 0.0 if untouched else now
    return CellRecord(
        owner=owner, uid=uid, gate=Gate.CLOSED, zero_seen=True, zeroed_at=zeroed_at, location=location
    )


def opened(record: CellRecord, *, now: float, settle_seconds: float) -> Outcome:
    """ZERO -> OPEN, before the first raise. Instances born before the zero need `settle_seconds` to be surely
    gone. A held cell is not opened: its template may be written at any moment, which stops whatever lives in it.
    """
    if record.gate is Gate.OPEN:
        return record
    if record.hold:
        return Refused(reason=Refusal.HELD)
    if not record.zero_seen:
        return Refused(reason=Refusal.NOT_SETTLED)
    if not now > record.zeroed_at + settle_seconds:
        return Refused(reason=Refusal.COOLING)
    return replace(record, gate=Gate.OPEN, zero_seen=False)


def closed(record: CellRecord) -> Outcome:
    """OPEN -> CLOSING, before any lower: only while no lease stands. Only a confirmed zero leads back."""
    if record.gate is Gate.CLOSED:
        return record
    if record.leases:
        return Refused(reason=Refusal.LEASES_STAND)
    return replace(record, gate=Gate.CLOSED, zero_seen=False)


def lowering(record: CellRecord, *, now: float) -> Outcome:
    """Note in CLOSING that a zero is about to be written, on a reading that began before.

    Whoever has read an earlier zero of this closing can then no longer confirm it: a raise that arrived late has undone it,
    and the zero written now must be seen and settle by itself.
    """
    if record.gate is Gate.OPEN:
        return Refused(reason=Refusal.GATE_OPEN)
    if record.zero_seen:
        return Refused(reason=Refusal.COOLING)
    return replace(record, lowered_at=now)


def zero_confirmed(record: CellRecord, *, count: int, settled: bool, now: float) -> Outcome:
    """CLOSING -> ZERO, on a reading of the worker pool that began after this record was read.

    `settled`: observedGeneration = generation and not reconciling.
    """
    if record.gate is Gate.OPEN:
        return Refused(reason=Refusal.GATE_OPEN)
    if record.zero_seen:
        return record
    if count != 0 or not settled:
        return Refused(reason=Refusal.NOT_SETTLED)
    return replace(record, zero_seen=True, zeroed_at=now, ended_boots=())


def count_found_at_zero(record: CellRecord) -> Outcome:
    """ZERO -> CLOSING, when another hand has raised the count of a closed cell."""
    if record.gate is Gate.OPEN:
        return Refused(reason=Refusal.GATE_OPEN)
    return replace(record, zero_seen=False) if record.zero_seen else record


def held(record: CellRecord, why: str, *, take_over: bool = False) -> Outcome:
    """Keep the cell from opening and from new leases, for `why`. What ends leases, closes and confirms zeros goes on.

    A hold for something else is respected, unless it is to be taken over; the same said again changes nothing.
    """
    if not may_have(why, record.hold, take_over=take_over):
        return Refused(reason=Refusal.HELD)
    wish = hold_in(why).wish
    known = bool(record.hold) and (not wish or wish == hold_in(record.hold).wish)
    return record if known else replace(record, hold=why)


def left_held(record: CellRecord, why: str) -> Outcome:
    """Keep the cell held with nobody at work: the next command with the same verb may have it, whatever it wishes."""
    if not may_have(why, record.hold):
        return Refused(reason=Refusal.HELD)
    return replace(record, hold=hold_in(why).verb)


def released(record: CellRecord, why: str) -> Outcome:
    """End a hold for `why`; one for something else stands."""
    return replace(record, hold="") if may_have(why, record.hold) else Refused(reason=Refusal.HELD)


def released_anew(record: CellRecord, why: str, *, canary: bool, now: float) -> Outcome:
    """End a hold after the template was changed: what became of leases of the old one says nothing any more.

    `canary`: whether this cell is to try the template before all others.
    """
    after = released(record, why)
    if isinstance(after, Refused) or after == record:
        return after
    return replace(after, obstacles=(), canary_since=now if canary else 0.0, changed_at=now)


def tried(record: CellRecord) -> CellRecord:
    """The trial is over: the cell is like any other."""
    return replace(record, canary_since=0.0)


def leased(record: CellRecord, lease: Lease, *, uptime_seconds: float, room: int, now: float) -> Outcome:
    """Put a lease into the record; it lives from the moment this is stored.

    `uptime_seconds`: age of the boot. `room`: how many leases the cell may hold (its count). A higher ask of
    the same boot replaces the older lease, which that boot has promised never to use.
    """
    if record.lease(lease.id) is not None:
        return record
    if record.gate is Gate.CLOSED:
        return Refused(reason=Refusal.GATE_CLOSED)
    if record.hold:
        return Refused(reason=Refusal.HELD)
    if lease.boot in record.ended_boots or not now - uptime_seconds > record.zeroed_at:
        return Refused(reason=Refusal.BOOT_RETIRED)
    older = record.lease_of(lease.boot)
    if older is not None and older.ask >= lease.ask:
        return Refused(reason=Refusal.STALE_ASK)
    if older is not None and older.dying_until is not None:
        return Refused(reason=Refusal.BOOT_RETIRED)
    kept = tuple(each for each in record.leases if each is not older)
    if len(kept) >= room:
        return Refused(reason=Refusal.NO_ROOM)
    ghosts = record.ghosts if older is None else (*record.ghosts, _ghost(older, now))
    return replace(record, leases=(*kept, lease), ghosts=ghosts)


def voided(record: CellRecord, *, boot: str, ask: int, now: float) -> Outcome:
    """Remove the lease of an older ask of this boot (witness 1: its own boot says it will never use it)."""
    older = record.lease_of(boot)
    if older is None or older.ask >= ask or older.dying_until is not None:
        return record
    return _without(record, older, now=now, ghost=True)


def ended(
    record: CellRecord,
    *,
    lease_id: str,
    boot: str,
    close: bool,
    job_served: bool,
    now: float,
    had_job: bool = False,
    lost: bool = False,
    met: ObstacleMet | None = None,
) -> Outcome:
    """Remove a lease on the word of its own boot (witness 1), after the runner's processes are reaped.

    `close`: also close the gate if this was the last lease, as the hold of a cell does. `job_served`: GitHub has consumed the
    registration; otherwise it is a ghost to clear. `had_job`: a job was begun at least; `lost`: and was cut off by no rule and
    nobody's wish; `met`: what kept it from one. Repeating it changes nothing.
    """
    lease = record.lease(lease_id)
    if lease is None:
        return record if boot in record.ended_boots else Refused(reason=Refusal.UNKNOWN_LEASE)
    if lease.boot != boot:
        return Refused(reason=Refusal.NOT_THE_WITNESS)
    after = _without(record, lease, now=now, ghost=not job_served)
    after = replace(after, ended_boots=(*after.ended_boots, boot)[-ENDED_BOOTS_KEPT:])
    if job_served or had_job:
        after = _lost(after, lease) if lost else _served(after, lease)
    elif met is not None:
        after = replace(after, obstacles=with_obstacle(after.obstacles, met))
    if (close or after.hold) and not after.leases:
        after = replace(after, gate=Gate.CLOSED, zero_seen=False)
    return after


def dying(record: CellRecord, *, lease_id: str, boot: str, until: float) -> Outcome:
    """Mark a lease whose instance got SIGTERM: it leaves the record at `until`."""
    lease = record.lease(lease_id)
    if lease is None:
        return Refused(reason=Refusal.UNKNOWN_LEASE)
    if lease.boot != boot:
        return Refused(reason=Refusal.NOT_THE_WITNESS)
    return record if lease.dying_until is not None else _with(record, replace(lease, dying_until=until))


def registered(record: CellRecord, *, lease_id: str, runner_id: int) -> Outcome:
    """Note which registration belongs to a lease, before its boot learns of it."""
    lease = record.lease(lease_id)
    if lease is None:
        return Refused(reason=Refusal.UNKNOWN_LEASE)
    return record if lease.runner_id == runner_id else _with(record, replace(lease, runner_id=runner_id))


def registration_refused(record: CellRecord, met: ObstacleMet) -> CellRecord:
    """Note that GitHub has refused to register a lease's runner; the lease stays until its boot voids it."""
    known = any(each.lease == met.lease for each in record.obstacles)
    return record if known else replace(record, obstacles=with_obstacle(record.obstacles, met))


def orphaned(record: CellRecord, *, runner_name: str, runner_id: int, now: float) -> CellRecord:
    """Note a registration whose lease was gone before its configuration could be sent: nobody will use it."""
    ghost = Ghost(runner_name=runner_name, runner_id=runner_id, since=now)
    others = tuple(each for each in record.ghosts if each.runner_name != runner_name)
    known = any(each.runner_name == runner_name and each.runner_id == runner_id for each in record.ghosts)
    return record if known else replace(record, ghosts=(*others, ghost))


def job_known(record: CellRecord, *, lease_id: str, runner_id: int, job_id: int, repository: str) -> Outcome:
    """Note which job GitHub gave to a lease's runner, so that it can be asked about later (witness 2)."""
    lease = record.lease(lease_id)
    if lease is None:
        return Refused(reason=Refusal.UNKNOWN_LEASE)
    if lease.runner_id != runner_id:
        return Refused(reason=Refusal.NOT_THE_WITNESS)
    return (
        record
        if lease.job_id == job_id
        else _with(record, replace(lease, job_id=job_id, repository=repository))
    )


def job_completed(
    record: CellRecord, *, lease_id: str, job_id: int, runner_id: int | None, now: float, lost: bool = False
) -> Outcome:
    """Remove a lease whose job GitHub calls completed by that very runner (witness 2). `lost`: its instance was, before."""
    lease = record.lease(lease_id)
    if lease is None:
        return record
    if runner_id is None or lease.runner_id != runner_id or lease.job_id != job_id:
        return Refused(reason=Refusal.NOT_THE_WITNESS)
    after = _retired(record, lease, now=now, ghost=False)
    return _lost(after, lease) if lost else _served(after, lease)


def timed_out(record: CellRecord, *, now: float) -> CellRecord:
    """Remove leases past their hard end, which the agent itself enforces (witness 3), and dying ones past
    their last moment.
    """
    for lease in record.leases:
        if now > lease.hard_end or (lease.dying_until is not None and now > lease.dying_until):
            record = _retired(record, lease, now=now, ghost=True)
    return record


def zeroed_by_others(record: CellRecord, *, count: int, settled: bool, silent: bool, now: float) -> Outcome:
    """Remove every lease of a cell that another hand has set to zero (witness 4), and close it.

    `silent`: no agent of the cell has been heard for the settle time.
    """
    if count != 0 or not settled or not silent:
        return Refused(reason=Refusal.NOT_SETTLED)
    for lease in record.leases:
        record = _retired(record, lease, now=now, ghost=True)
    return replace(record, gate=Gate.CLOSED, zero_seen=False) if record.gate is Gate.OPEN else record


def ghost_cleared(record: CellRecord, *, runner_name: str) -> CellRecord:
    """Forget a ghost whose registration is known to be gone."""
    return replace(record, ghosts=tuple(each for each in record.ghosts if each.runner_name != runner_name))


def _ghost(lease: Lease, now: float) -> Ghost:
    return Ghost(runner_name=lease.runner_name, runner_id=lease.runner_id, since=now)


def _with(record: CellRecord, lease: Lease) -> CellRecord:
    return replace(record, leases=tuple(lease if each.id == lease.id else each for each in record.leases))


def _without(record: CellRecord, lease: Lease, *, now: float, ghost: bool) -> CellRecord:
    kept = tuple(each for each in record.leases if each.id != lease.id)
    return replace(
        record, leases=kept, ghosts=(*record.ghosts, _ghost(lease, now)) if ghost else record.ghosts
    )


def _served(record: CellRecord, lease: Lease) -> CellRecord:
    return replace(record, served_at=max(record.served_at, lease.started_at))


def _lost(record: CellRecord, lease: Lease) -> CellRecord:
    return replace(_served(record, lease), lost_at=max(record.lost_at, lease.started_at))


def _retired(record: CellRecord, lease: Lease, *, now: float, ghost: bool) -> CellRecord:
    after = _without(record, lease, now=now, ghost=ghost)
    return replace(after, ended_boots=(*after.ended_boots, lease.boot)[-ENDED_BOOTS_KEPT:])
