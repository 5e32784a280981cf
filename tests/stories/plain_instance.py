"""An instance as the published samples have it: registers itself at its start, runs one job, exits. Asks nobody."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from pathlib import Path

from github_api.app_auth import AppKey
from github_api.client import GitHub
from github_api.secret import Secret
from github_api.values import Scope


async def configuration() -> str:
    """A single-use registration of this instance's own."""
    key = AppKey.from_pem(Secret(Path(os.environ["PLAIN_KEY"]).read_text()))
    async with GitHub(
        app_id=os.environ["PLAIN_APP"], key=key, scope=Scope.named("acme"), url=os.environ["PLAIN_GITHUB"]
    ) as github:
        made = await github.generate_jit_configuration(
            name=f"plain-{secrets.token_hex(6)}", labels=["self-hosted", "linux", "x64"], runner_group_id=1
        )
        return made.encoded.reveal()


if __name__ == "__main__":
    environment = {
        **os.environ,
        "ACTIONS_RUNNER_INPUT_JITCONFIG": asyncio.run(configuration()),
        "RUNNER_MANUALLY_TRAP_SIG": "1",
        "RUNNER_ALLOW_RUNASROOT": "1",
    }
    os.execve(sys.executable, [sys.executable, "-m", "emulator.runner"], environment)
