"""The HTTP clients that calls are sent through."""

from __future__ import annotations

import asyncio
import importlib
import sys
from importlib.util import find_spec

import httpx
import pytest

from github_api.connections import Connections


async def test_calls_under_way_have_a_client_each_and_the_last_used_goes_out_first() -> None:
    connections = Connections()
    async with connections.lent() as first, connections.lent() as second:
        assert first is not second
    async with connections.lent() as again:
        assert again is first
    await connections.aclose()
    assert first.is_closed
    assert second.is_closed


@pytest.mark.parametrize("cut_off", [httpx.ConnectError("refused"), asyncio.CancelledError()])
async def test_a_client_whose_call_was_cut_off_is_closed_and_not_lent_again(cut_off: BaseException) -> None:
    """Its only connection may be in any state."""
    connections = Connections()
    with pytest.raises(type(cut_off)):
        async with connections.lent() as client:
            raise cut_off
    assert client.is_closed
    async with connections.lent() as again:
        assert again is not client
    await connections.aclose()


async def test_a_client_that_was_given_serves_all_and_stays_open() -> None:
    async with httpx.AsyncClient() as http:
        connections = Connections(http)
        async with connections.lent() as first, connections.lent() as second:
            assert first is second is http
        await connections.aclose()
        assert not http.is_closed


async def test_an_optional_package_that_is_not_there_is_not_searched_for_at_each_lock() -> None:
    """One that is there is left alone."""
    there = find_spec("sniffio") is not None
    connections = Connections()
    async with connections.lent():
        assert ("sniffio" in sys.modules) or there
    await connections.aclose()
    if not there:
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("sniffio")
