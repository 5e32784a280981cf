"""The addresses and times that GitHub's objects carry. Pure."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime

from emulator.github.accounts import Repository
from emulator.github.runners import Scope


@dataclass(frozen=True, slots=True)
class Links:
    """`public_url` is where browsers and clients reach the stand-in, without a slash at the end.

    `ahead_seconds` is how far GitHub's clock is ahead of everybody else's; below 0: behind.
    """

    public_url: str
    ahead_seconds: float = 0.0

    @property
    def api(self) -> str:
        return f"{self.public_url}/api/v3"

    # The real runner joins addresses the way RFC 3986 does, so these end with a slash.
    @property
    def broker(self) -> str:
        return f"{self.public_url}/_broker/"

    @property
    def run_service(self) -> str:
        return f"{self.public_url}/_run/"

    @property
    def token(self) -> str:
        return f"{self.public_url}/_oauth/token"

    @property
    def log(self) -> str:
        return f"{self.public_url}/_runner/log"

    def repository(self, repository: Repository) -> str:
        return f"{self.api}/repos/{repository.full_name}"

    def repository_page(self, repository: Repository) -> str:
        return f"{self.public_url}/{repository.full_name}"

    def moment(self, seconds: float) -> str:
        """A moment as GitHub's clock has it."""
        return moment(seconds + self.ahead_seconds)

    def optional_moment(self, seconds: float | None) -> str | None:
        return None if seconds is None else self.moment(seconds)

    def scope(self, scope: Scope) -> str:
        if scope.repository is None:
            return f"{self.api}/orgs/{scope.organization}"
        return f"{self.api}/repos/{scope.organization}/{scope.repository}"


def moment(seconds: float) -> str:
    """Seconds since the epoch as GitHub writes a time: whole seconds, UTC."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def optional_moment(seconds: float | None) -> str | None:
    return None if seconds is None else moment(seconds)


def node_id(kind: str, number: int) -> str:
    """GitHub's second kind of id; opaque to everybody."""
    return base64.b64encode(f"{len(kind):03}:{kind}{number}".encode()).decode("ascii")
