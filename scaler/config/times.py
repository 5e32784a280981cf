"""The times of the protocol between scaler and instances, and what must hold between them. Knows nothing of who waits how."""

from collections.abc import Iterator
from datetime import timedelta

from pydantic import Field

from scaler.config.durations import written
from scaler.config.fields import PositiveDuration
from scaler.config.section import Section, relation

# https://cloud.google.com/run/docs/container-contract: SIGTERM, ten seconds, SIGKILL; it cannot be set.
_CLOUD_RUN_GRACE = timedelta(seconds=10)

# What every agent keeps by itself. They are no keys: agents of an image already built would not know of a change.
# An agent gives up on the answer to `park` after this.
CLIENT_TIMEOUT = timedelta(seconds=35)
# An agent starts a runner only on a reply to `start` that came within this.
REPLY_WITHIN = timedelta(seconds=30)


class TimesSection(Section):
    heartbeat: PositiveDuration = Field(
        timedelta(seconds=20), description="How often an instance repeats its state"
    )
    long_poll: PositiveDuration = Field(
        timedelta(seconds=25),
        description="How long the scaler holds a parked instance's question; below the 35s that every instance waits",
    )
    jit_call: PositiveDuration = Field(
        timedelta(seconds=15),
        description="The longest a registration at GitHub may take; below the 30s after which no instance uses it",
    )
    settle: PositiveDuration = Field(
        timedelta(seconds=80),
        description="How long a zeroed cell stays closed; above 70s (twice an instance's 35s) and above "
        "3 x `heartbeat` + `stop_ladder`",
    )
    leader_ttl: PositiveDuration = Field(
        timedelta(seconds=15),
        description="How long a leader leads without renewing; at least 2 x `leader_renewal`",
    )
    leader_renewal: PositiveDuration = Field(timedelta(seconds=5), description="How often the leader renews")
    stop_ladder: PositiveDuration = Field(
        timedelta(seconds=10), description="From SIGTERM to SIGKILL; Cloud Run gives 10 s, no more"
    )
    hard_end_margin: PositiveDuration = Field(
        timedelta(minutes=5), description="Added to the longest a lease can take, before it is over by itself"
    )
    dying: PositiveDuration = Field(
        timedelta(seconds=15),
        description="How long a lease stays after its instance said `preempted`; longer than `stop_ladder`",
    )
    demand_interval: PositiveDuration = Field(
        timedelta(seconds=30),
        description="How long after one sweep of the repositories the next begins; with a webhook, idle ones have their turn in "
        "every third",
    )
    cells_interval: PositiveDuration = Field(
        timedelta(seconds=5), description="How often the worker pools are read while anything moves"
    )

    back_off: PositiveDuration = Field(
        timedelta(minutes=10),
        description="How often one lease is tried in a pool whose leases end without a job for a reason that the next "
        "one will meet too, such as an image that is too old",
    )

    def relations(self) -> Iterator[dict[str, str]]:
        def must(holds: bool, key: str, rule: str, *others: str) -> Iterator[dict[str, str]]:
            if not holds:
                given = ", ".join(f"{name} is {written(getattr(self, name))}" for name in (key, *others))
                yield relation(
                    key, f"{rule} does not hold: {given}", "Change one of them; the defaults fit together."
                )

        if self.long_poll >= CLIENT_TIMEOUT:
            yield relation(
                "long_poll",
                f"long_poll is {written(self.long_poll)}, but an instance waits {written(CLIENT_TIMEOUT)} for its answer",
                f"Write less than {written(CLIENT_TIMEOUT)}; what an instance waits is built into the agent.",
            )
        if self.jit_call >= REPLY_WITHIN:
            yield relation(
                "jit_call",
                f"jit_call is {written(self.jit_call)}, but an instance uses no registration that comes after "
                f"{written(REPLY_WITHIN)}",
                f"Write less than {written(REPLY_WITHIN)}; what an instance waits is built into the agent.",
            )
        if self.settle <= 2 * CLIENT_TIMEOUT:
            yield relation(
                "settle",
                f"settle is {written(self.settle)}, but calls of instances that are gone may come for twice "
                f"{written(CLIENT_TIMEOUT)}",
                f"Write more than {written(2 * CLIENT_TIMEOUT)}.",
            )
        yield from must(
            self.settle > 3 * self.heartbeat + self.stop_ladder,
            "settle",
            "settle > 3 x heartbeat + stop_ladder",
            "heartbeat",
            "stop_ladder",
        )
        yield from must(
            self.leader_ttl >= 2 * self.leader_renewal,
            "leader_ttl",
            "leader_ttl >= 2 x leader_renewal",
            "leader_renewal",
        )
        yield from must(self.dying > self.stop_ladder, "dying", "dying > stop_ladder", "stop_ladder")
        if self.stop_ladder > _CLOUD_RUN_GRACE:
            yield relation(
                "stop_ladder",
                f"stop_ladder is {written(self.stop_ladder)}, but Cloud Run kills after 10s",
                "Write 10s or less.",
            )
