"""Everything that is secret in a world, and where to look for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.pool_world import PoolWorld

# The one place of a registration: the variable that the listener takes out of its own environment.
# https://github.com/actions/runner/blob/main/src/Runner.Listener/CommandSettings.cs
ITS_PLACE = "ACTIONS_RUNNER_INPUT_JITCONFIG"


@dataclass(frozen=True, slots=True)
class Found:
    """A secret where it must not be; shown by its kind only."""

    kind: str
    where: str


def secrets_of(world: PoolWorld, *, webhook_secret: str) -> dict[str, list[str]]:
    """Every secret of the world so far, by its kind; none may be empty, or the sweep would look for nothing."""
    section = world.config["github"]
    assert isinstance(section, dict)
    pem = Path(section["private_key"].removeprefix("file:")).read_text().strip().splitlines()
    cloud = world.emulator.cloud
    pools = cloud.http.get(f"/v2/{cloud.parent}/workerPools").raise_for_status().json()["workerPools"]
    variables = [each for pool in pools for each in pool["template"]["containers"][0]["env"]]
    found = {
        "App key": pem[1:-1],
        "webhook secret": [webhook_secret],
        "cell secret": [each["value"] for each in variables if each["name"] == "RUNNER_POOL_CELL_SECRET"],
        **world.emulator.github.credentials(),
        **{kind: tokens for kind, tokens in cloud.credentials().items() if tokens},
    }
    assert all(texts and all(len(text) > 15 for text in texts) for texts in found.values()), {
        kind: len(texts) for kind, texts in found.items()
    }
    return found


def leaks(text: str, secrets: Mapping[str, list[str]], *, where: str) -> list[Found]:
    """Which kinds of secrets stand in a text, whole or by a piece that is long enough to be told apart."""
    return [
        Found(kind, where)
        for kind, known in secrets.items()
        if any(piece in text for one in known for piece in _pieces(one))
    ]


def _pieces(secret: str) -> tuple[str, ...]:
    # Of a token the signature is what makes it good; of a long text any end of it. A log that cuts a text short shows its start.
    return (secret, secret[:64], secret[-64:]) if len(secret) > 128 else (secret,)


@dataclass(slots=True)
class Processes:
    """What `/proc` has shown of the world's processes, each once: its arguments, and the environment of the runner's."""

    arguments: dict[int, str] = field(default_factory=dict)
    environments: dict[int, dict[str, str]] = field(default_factory=dict)

    def look(self, world: PoolWorld) -> None:
        """Look at every process of the world as it is now, and at the scalers."""
        alive = {*world.emulator.living_processes(), *(scaler.pid for scaler in world.scalers)}
        parents = {pid: _parent(pid) for pid in alive}
        for pid in alive:
            self.arguments[pid] = _read(pid, "cmdline")
        agents = {pid for pid in alive if "runner_agent" in self.arguments[pid]}
        for pid in (
            alive - agents
        ):  # a child that is about to become the runner still is the agent, and as closed
            if agents & set(_above(pid, parents)):
                pairs = (pair.partition("=") for pair in _read(pid, "environ").split("\0"))
                self.environments[pid] = {name: value for name, _, value in pairs if name}

    def outside_its_place(self) -> Iterator[tuple[str, str]]:
        """Where and what: every argument list, every environment of the runner's processes without the registration's place,
        which only the runner's own programs may still have; a step has it under no name.
        """
        yield from ((f"arguments of {pid}", text) for pid, text in self.arguments.items())
        for pid, variables in self.environments.items():
            of_the_runner = re.search(r"emulator\.runner", self.arguments[pid]) is not None
            shown = {
                name: value for name, value in variables.items() if not (of_the_runner and name == ITS_PLACE)
            }
            yield f"environment of {pid}: {self.arguments[pid][:60]}", "\n".join(map("=".join, shown.items()))


def _above(pid: int, parents: Mapping[int, int]) -> Iterator[int]:
    while (pid := parents.get(pid, 0)) > 1:
        yield pid


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
    except OSError:
        return ""  # gone meanwhile
