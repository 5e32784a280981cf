"""What the tests against the stand-in GitHub share: one server per file, one organization, one installation of the App."""

import itertools
from collections.abc import Iterator

import pytest

from tests.emulator_github import Checked, GitHubServer, Installed

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[GitHubServer]:
    """A stand-in GitHub on a real socket."""
    with GitHubServer() as running:
        yield running


@pytest.fixture(scope="module")
def acme(server: GitHubServer) -> Installed:
    """An organization with a private and a public repository."""
    repositories = [{"name": "widgets", "private": True}, {"name": "site", "private": False}]
    return server.set_up("acme", repositories=repositories)


@pytest.fixture
def github(acme: Installed) -> Checked:
    """Calls as the App's installation, each held against GitHub's description."""
    return acme.as_installation()


@pytest.fixture
def healthy(server: GitHubServer) -> Iterator[GitHubServer]:
    """The server of the file, with every fault off before and after."""
    yield server
    server.switch_on({})


@pytest.fixture
def installed(healthy: GitHubServer) -> Installed:
    """An organization of the test's own."""
    return healthy.set_up(f"acme-{next(NUMBERS)}")
