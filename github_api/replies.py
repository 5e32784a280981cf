"""What status and headers of a GitHub reply mean: which error, which page next, how long to pause. PURE:
knows no transport, no clock.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import urlsplit

from github_api.errors import (
    BadCredentials,
    Conflict,
    GitHubBroken,
    GitHubError,
    Moved,
    NotFound,
    PermissionDenied,
    Rejected,
    Unavailable,
)
from github_api.shape import WrongShape, parsed

# Vendors' texts go into logs: long enough to help, too short to flood.
_LONGEST_MESSAGE = 256
_NEXT = re.compile(r'<([^<>]*)>\s*;[^<]*?\brel="?next"?')
# GitHub: without Retry-After "wait for at least one minute", then exponentially longer. An hour is the
# longest of its windows.
_SHORTEST_SECONDARY_PAUSE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 3600.0
# The limit that nearly every call counts against; a pause of another resource stops only the calls that use
# it.
_CORE = "core"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer. `headers` answers to lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)  # may hold a token or a JIT configuration


def error_of(
    reply: Reply, *, call: str, meanings: Mapping[int, type[GitHubError]] | None = None
) -> GitHubError | None:
    """The error that `reply` is, or None for 2xx and 304. Limits are judged before, by `Limits.after`.

    `call` is the call in words ("list the jobs of a run"); `meanings` are statuses that say something special
    for it.
    """
    status = reply.status
    if 200 <= status < 300 or status == 304:
        return None
    known: dict[int, type[GitHubError]] = {
        301: Moved,
        302: Moved,
        307: Moved,
        308: Moved,
        401: BadCredentials,
        403: PermissionDenied,
        404: NotFound,
        409: Conflict,
        **(meanings or {}),
    }
    kind = known.get(status)
    if kind is None:
        kind = Rejected if 400 <= status < 500 else Unavailable if status >= 500 else GitHubBroken
    said = message_of(reply.body)
    return kind(
        f"GitHub refused to {call}{f': {said}' if said else ''}",
        status=status,
        request_id=reply.headers.get("x-github-request-id"),
    )


def message_of(body: bytes) -> str:
    """GitHub's own words in an error body, on one line and cut short; "" when there are none."""
    try:
        document = parsed(body)
    except WrongShape:
        return ""
    said = document.get("message") if isinstance(document, dict) else None
    return " ".join(said.split())[:_LONGEST_MESSAGE] if isinstance(said, str) else ""


def next_page(headers: Mapping[str, str], *, base_url: str) -> str | None:
    """The next page's URL from the Link header, or None on the last page.

    Raises GitHubBroken when it leads to another host than `base_url`: our token goes nowhere else.
    """
    found = _NEXT.search(headers.get("link", ""))
    if found is None:
        return None
    url = found.group(1)
    if urlsplit(url)[:2] != urlsplit(base_url)[:2]:
        raise GitHubBroken(
            "The Link header leads to another host than github.url, so the next page was not read"
        )
    return url


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Until when GitHub wants no calls, learned from each reply. A value: `after` gives the next one.

    `paused_until` maps a limit's name to seconds since the epoch; the name "" (secondary limits) concerns
    every call. `strikes` counts secondary limits in a row, which lets the pause grow.
    """

    paused_until: Mapping[str, float] = field(default_factory=dict)
    strikes: int = 0

    def until(self, resource: str) -> float:
        """The moment before which no call against `resource` may start; 0 when there is none."""
        return max(self.paused_until.get("", 0.0), self.paused_until.get(resource, 0.0))

    def after(self, reply: Reply, *, resource: str, now: float) -> tuple[Self, float | None]:
        """The limits once `reply` is known; and until when, if the reply was a refusal by a limit."""
        refused = reply.status in (403, 429)
        used_up = reply.headers.get("x-ratelimit-remaining") == "0"
        asked_to_wait = _seconds(reply.headers.get("retry-after"))
        if refused and asked_to_wait is not None:
            return self._struck(now + max(1.0, asked_to_wait), now=now)
        if used_up:
            until = min(
                max(_seconds(reply.headers.get("x-ratelimit-reset")) or 0.0, now + 1),
                now + _LONGEST_PAUSE_SECONDS,
            )
            limited = reply.headers.get("x-ratelimit-resource", _CORE)
            # A call may count against a limit of its own (registrations); the others go on then.
            name = _CORE if limited == _CORE else resource
            return self._with(name, until), until if refused else None
        if reply.status == 429 or (refused and "rate limit" in message_of(reply.body).lower()):
            return self._struck(
                now + min(_SHORTEST_SECONDARY_PAUSE_SECONDS * 2**self.strikes, _LONGEST_PAUSE_SECONDS),
                now=now,
            )
        if self.strikes and reply.status < 400 and now >= self.until(""):
            return replace(self, strikes=0), None
        return self, None

    def _struck(self, until: float, *, now: float) -> tuple[Self, float]:
        # Ten calls in flight meet the same limit ten times: that is one strike.
        strikes = self.strikes if now < self.until("") else min(self.strikes + 1, 10)
        longest = max(until, self.until(""))
        return replace(self._with("", longest), strikes=strikes), longest

    def _with(self, name: str, until: float) -> Self:
        return replace(self, paused_until={**self.paused_until, name: until})


def _seconds(header: str | None) -> float | None:
    if header is None or not header.strip().isdecimal() or len(header) > 15:
        return None
    return float(header)
