"""Builders for tests of the stand-in GitHub without sockets: plans, workflow files, and the pure world with its own clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from emulator.faults import fault_argument
from emulator.github.delays import Delays
from emulator.github.faults import CATALOGUE, Fault
from emulator.github.jobs import PlanLoader
from emulator.github.refusals import ControlRefusal
from emulator.github.registration_wish import RegistrationWish
from emulator.github.runners import Registration, Scope
from emulator.github.world import World

EPOCH = 1_800_000_000.0


# ── a plan without workflow files ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeJob:
    key: str
    labels: tuple[str, ...] = ("self-hosted",)
    group: str | None = None
    conclusion: str | None = None
    message: str | None = None
    needs: tuple[str, ...] = ()
    fail_fast_with: tuple[str, ...] = ()
    definition: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.key


class FakeProgress:
    """Jobs are due when what they need has ended."""

    def __init__(self, jobs: Sequence[FakeJob]) -> None:
        self._jobs = {job.key: job for job in jobs}
        self._given: set[str] = set()
        self._unwanted: list[str] = []
        self.ended: dict[str, str] = {}
        self.outputs: dict[str, dict[str, str]] = {}

    def due(self) -> list[FakeJob]:
        found = [
            job
            for job in self._jobs.values()
            if job.key not in self._given and all(need in self.ended for need in job.needs)
        ]
        self._given |= {job.key for job in found}
        self.ended |= {job.key: job.conclusion for job in found if job.conclusion is not None}
        return found

    def conclude(self, key: str, conclusion: str, outputs: dict[str, str]) -> None:
        self.ended[key] = conclusion
        self.outputs[key] = outputs
        if conclusion == "failure":
            self._unwanted += self._jobs[key].fail_fast_with

    def unwanted(self) -> list[str]:
        unwanted, self._unwanted = self._unwanted, []
        return [key for key in unwanted if key not in self.ended]

    @property
    def conclusion(self) -> str | None:
        if self.ended.keys() != self._jobs.keys():
            return None
        return "failure" if "failure" in self.ended.values() else "success"


@dataclass(frozen=True, slots=True, kw_only=True)
class FakePlan:
    jobs: tuple[FakeJob, ...]
    name: str = "CI"
    event: str = "push"

    def triggers(self, event: str) -> bool:
        return event == self.event

    def start(self, *, github: dict[str, Any], run_id: int) -> FakeProgress:
        return FakeProgress(self.jobs)


def plans(**by_stem: FakePlan) -> PlanLoader:
    """A loader for `push`: the file `ci.yml` is the plan `ci`, whatever its text. No such plan: unreadable."""

    def loaded(text: str, *, filename: str) -> FakePlan:
        plan = by_stem.get(filename.removesuffix(".yml"))
        if plan is None:
            raise ControlRefusal(422, f"{filename} cannot be read")
        return plan

    return loaded


# ── the pure world ───────────────────────────────────────────────────────────────────────────────────────────────


class PureWorld:
    """The world without sockets, with a clock that stands still until it is moved."""

    def __init__(
        self, *jobs: FakeJob, seed: int = 7, private: bool = True, groups: Sequence[Any] = ()
    ) -> None:
        self.now = EPOCH
        self.delays = Delays()
        self.world = World(delays=self.delays, seed=seed, load_plan=plans(ci=FakePlan(jobs=jobs)))
        self.organization = self.world.accounts.set_up(
            login="acme",
            repositories={"widgets": private},
            groups=tuple(groups),
            app_public_key="",
            now=self.now,
        )
        self.repository = self.organization.repositories["widgets"]

    def switch_on(self, *faults: str) -> None:
        """Exactly these are on, each written as on the command line."""
        given = dict(fault_argument(text, CATALOGUE) for text in faults)
        self.world.faults.replace(given, now=self.now)

    def struck(self, fault: Fault) -> int:
        return self.world.faults.struck.get(fault, 0)

    def push(self) -> Any:
        [run] = self.world.work.push(
            self.repository,
            workflows={"ci.yml": ""},
            source=None,
            github_url="http://github.test",
            now=self.now,
        )
        return run

    def register(
        self,
        name: str = "runner-1",
        *,
        labels: Sequence[str] = ("self-hosted",),
        group: int = 1,
        scope: Scope | None = None,
    ) -> Registration:
        scope = scope or Scope(organization="acme")
        wish = RegistrationWish(name=name, group_id=group, labels=tuple(labels), work_folder="_work")
        found = self.world.runners.group_for(wish, scope, self.organization)
        return self.world.runners.register(wish, scope=scope, group=found, public_key="", now=self.now)

    def listen(self, registration: Registration, *, instance: str | None = None) -> None:
        session = self.world.runners.open_session(
            registration, instance=instance, version="2.337.0", os="Linux", now=self.now
        )
        session.polls = 1

    def listening(self, name: str = "runner-1", **how: Any) -> Registration:
        instance = how.pop("instance", None)
        registration = self.register(name, **how)
        self.listen(registration, instance=instance)
        return registration

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.world.work.expire(now=self.now)
        self.assign()

    def assign(self) -> None:
        self.world.work.assign(now=self.now)

    def jobs(self, run: Any) -> list[Any]:
        return self.world.ledger.jobs_of(run)

    def acquire(self, registration: Registration) -> Any:
        assert registration.session is not None
        assert registration.session.assignment is not None, f"{registration.name} was given no job"
        return self.world.work.acquire(registration, registration.session.assignment, now=self.now)

    def complete(self, job: Any, conclusion: str = "success") -> Any:
        return self.world.work.complete(
            job.uuid, job.plan_id, conclusion=conclusion, outputs={}, steps=(), now=self.now
        )


# ── workflow files ───────────────────────────────────────────────────────────────────────────────────────────────


def workflow(*names: str, labels: str = "[self-hosted]") -> str:
    """A workflow file with one job of one step for each name."""
    jobs = "".join(f"  {name}:\n    runs-on: {labels}\n    steps: [{{run: echo {name}}}]\n" for name in names)
    return f"name: CI\non: push\njobs:\n{jobs}"


def matrix_workflow(size: int) -> str:
    numbers = ", ".join(map(str, range(size)))
    return (
        "name: Matrix\non: push\njobs:\n  build:\n    strategy:\n      matrix:\n"
        f"        n: [{numbers}]\n    runs-on: [self-hosted]\n    steps: [{{run: 'true'}}]\n"
    )
