"""The whole state of the stand-in GitHub, put together. Pure: no I/O, no own clock; chance comes from one seed."""

import random

from emulator.github.accounts import Accounts
from emulator.github.delays import Delays
from emulator.github.faults import CATALOGUE, GitHubFaults
from emulator.github.jobs import PlanLoader
from emulator.github.ledger import Ledger
from emulator.github.limits import Limits
from emulator.github.rest_faults import RestFaults
from emulator.github.runners import Runners
from emulator.github.shown import Shown
from emulator.github.tokens import Tokens
from emulator.github.work import Work


class World:
    """Each part is asked directly; nothing here decides."""

    def __init__(self, *, delays: Delays, seed: int, load_plan: PlanLoader) -> None:
        self.chance = random.Random(seed)  # noqa: S311  a world that can be repeated, not a secret
        self.delays = delays
        self.faults = GitHubFaults(catalogue=CATALOGUE, chance=self.chance)
        self.accounts = Accounts(chance=self.chance)
        self.limits = Limits()
        self.runners = Runners(delays=delays, chance=self.chance, faults=self.faults)
        self.tokens = Tokens(secret=self.chance.randbytes(32))
        self.ledger = Ledger(chance=self.chance)
        self.shown = Shown(faults=self.faults, runners=self.runners, ledger=self.ledger)
        self.rest_faults = RestFaults(faults=self.faults, limits=self.limits, accounts=self.accounts)
        self.work = Work(
            delays=delays,
            chance=self.chance,
            runners=self.runners,
            ledger=self.ledger,
            load_plan=load_plan,
            faults=self.faults,
        )
