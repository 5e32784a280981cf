"""How the stand-in GitHub ends: at once, whatever is open."""

import asyncio
import concurrent.futures

import httpx
import pytest

from emulator.github.server import GitHubStandIn
from tests.emulator_github import GitHubServer, eventually


def test_the_stand_in_ends_although_a_poll_is_open() -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with GitHubServer() as running:
            runner = running.set_up().runner("waiting")
            assert runner.open_session().is_success
            polling = pool.submit(runner.poll)
            eventually(
                lambda: running.control("GET", "registrations")["registrations"][0]["status"] == "online",
                "the runner listens",
            )
        assert polling.exception(timeout=5) is None or isinstance(polling.exception(), httpx.HTTPError)


async def test_the_background_ends_when_it_is_cancelled() -> None:
    stand_in = GitHubStandIn(time_factor=1.0, seed=1, public_url=lambda: "http://127.0.0.1:1")
    task = asyncio.create_task(stand_in.run())
    await asyncio.sleep(0)  # let it begin
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
