"""The HTTP clients that calls are sent through."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec

import httpx
import pytest

from github_api.connections import Connections


async def test_calls_under_way_have_a_client_each_and_the_last_used_goes_out_first() -> None:
    connections = Connections()
    with connections.lent() as first, connections.lent() as second:
        assert first is not second
    with connections.lent() as again:
        assert again is first
    await connections.aclose()
    assert first.is_closed
    assert second.is_closed


async def test_a_call_that_fails_gives_its_client_back() -> None:
    connections = Connections()
    with pytest.raises(httpx.ConnectError), connections.lent() as client:
        raise httpx.ConnectError("refused")
    with connections.lent() as again:
        assert again is client
    await connections.aclose()


async def test_a_client_that_was_given_serves_all_and_stays_open() -> None:
    async with httpx.AsyncClient() as http:
        connections = Connections(http)
        with connections.lent() as first, connections.lent() as second:
            assert first is second is http
        await connections.aclose()
        assert not http.is_closed


async def test_an_optional_package_that_is_not_there_is_not_searched_for_at_each_lock() -> None:
    """One that is there is left alone."""
    there = find_spec("sniffio") is not None
    connections = Connections()
    with connections.lent():
        assert ("sniffio" in sys.modules) or there
    await connections.aclose()
    if not there:
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("sniffio")
