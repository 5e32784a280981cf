"""The emulator program with a GitHub that knows nothing but what the test tells it: which instances are busy.

Started by tests of the cloud side as `python -m tests.emulator_with_silent_github`; takes the emulator's arguments.
`PUT /_control/busy {"instances": [id, …]}` on the GitHub port.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.main import Settings, run, settings_from


class SilentGitHub:
    def __init__(self, _: Settings, __: Callable[[], float], ___: Callable[[], str]) -> None:
        self.app = Starlette(routes=[Route("/_control/busy", self._put_busy, methods=["PUT"])])
        self._busy: frozenset[str] = frozenset()

    async def run(self) -> None:
        await asyncio.Event().wait()

    def busy_instances(self) -> frozenset[str]:
        return self._busy

    async def _put_busy(self, request: Request) -> Response:
        self._busy = frozenset((await request.json())["instances"])
        return JSONResponse({})


def main(arguments: Sequence[str]) -> int:
    return run(settings_from(arguments), environment=os.environ, github_factory=SilentGitHub)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
