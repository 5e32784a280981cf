"""A story of the stand-in Cloud Run's pure world: known delays, a clock in hand, a host that obeys at once."""

from random import Random
from typing import Any

from emulator.cloud.delays import Delays, Span
from emulator.cloud.documents import worker_pool_document
from emulator.cloud.worker_pool import Action, InstanceState, Kill, Launch, Operation
from emulator.cloud.world import CloudWorld

ACT, SETTLE, START, REPLACE = 1.0, 2.0, 4.0, 0.5
COUNT = ["scaling.manualInstanceCount"]


def fixed(seconds: float) -> Span:
    return Span(low_seconds=seconds, high_seconds=seconds)


class Story:
    """A world with delays that are known, a clock in hand and a host that does at once what it is told."""

    def __init__(self, *, seed: int = 1, delays: Delays | None = None, images_run: bool = False) -> None:
        self.now = 1000.0
        self.busy: frozenset[str] = frozenset()
        self.obeys_sigterm = True
        self.world = CloudWorld(
            project="p",
            region="r",
            delays=delays
            or Delays(
                act=fixed(ACT), settle=fixed(SETTLE), container_start=fixed(START), replacement=fixed(REPLACE)
            ),
            chance=Random(seed),
            names=Random(seed + 1),
            secret_exists=lambda _, secret: secret == "known",
            images_run=images_run,
        )

    def create(self, count: int, **template: Any) -> Operation:
        return self.world.create("cell", pool_body(count, **template), caller="me@example.com", now=self.now)

    def set_count(self, count: int, *, tag: str | None = None) -> Operation:
        body: dict[str, Any] = {"scaling": {"manualInstanceCount": count}}
        if tag is not None:
            body["etag"] = tag
        return self.world.patch("cell", body, mask=COUNT, caller="me@example.com", now=self.now)

    def advance(self, seconds: float) -> list[Action]:
        """Lets time pass from one due moment to the next; the actions on the way."""
        until, actions = self.now + seconds, list[Action]()
        while (due := self.world.next_due()) is not None and due <= until:
            self.now = max(due, self.now)
            taken = self.world.advance(self.now, self.busy)
            for action in taken:
                self._perform(action)
            actions += taken
        self.now = until
        return actions

    def ids(self, *states: InstanceState) -> list[str]:
        return [i.id for i in self.world.fleet.instances.values() if i.state in states]

    def running(self) -> list[str]:
        return self.ids(InstanceState.RUNNING)

    def document(self) -> dict[str, Any]:
        return worker_pool_document(self.world.worker_pool("cell"))

    def end(self, instance: str, code: int = 0) -> None:
        self.world.instance_ended(instance, exit_code=code, signal=None, now=self.now, busy=self.busy)

    def _perform(self, action: Action) -> None:
        if isinstance(action, Launch):
            self.world.instance_started(action.instance, pid=7, now=self.now)
        elif isinstance(action, Kill):
            self.world.instance_ended(action.instance, exit_code=None, signal=9, now=self.now, busy=self.busy)
        elif self.obeys_sigterm:
            self.end(action.instance)


def pool_body(count: int, **template: Any) -> dict[str, Any]:
    container = {"image": "i", "command": ["run"], **template}
    return {"template": {"containers": [container]}, "scaling": {"manualInstanceCount": count}}
