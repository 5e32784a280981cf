"""What the platform's metadata server tells an instance about itself.

https://cloud.google.com/run/docs/container-contract#metadata-server
"""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

from runner_agent.errors import UnreachableError
from runner_agent.registration.exchange import Exchange, Request

_TIMEOUT_SECONDS = 2.0
_RENEWED_BEFORE_END_SECONDS = 300.0


class MetadataServer:
    """Asks for single values."""

    def __init__(self, host: str, *, exchange: Exchange) -> None:
        self._root = f"http://{host}/computeMetadata/v1"
        self._exchange = exchange

    def instance_id(self) -> str:
        """Unique among instances. Raises UnreachableError."""
        return self._text("/instance/id")

    def identity_token(self, audience: str) -> str:
        """A token by which Google vouches for the instance's service account. Raises UnreachableError."""
        query = f"audience={quote(audience, safe='')}&format=full"
        return self._text(f"/instance/service-accounts/default/identity?{query}")

    def access_token(self) -> str:
        """A token to call Google's interfaces with. Raises UnreachableError."""
        try:
            return str(json.loads(self._text("/instance/service-accounts/default/token"))["access_token"])
        except (ValueError, KeyError, TypeError):
            raise UnreachableError("the metadata server gave no access token") from None

    def _text(self, path: str) -> str:
        request = Request(method="GET", url=self._root + path, headers={"Metadata-Flavor": "Google"})
        reply = self._exchange(request, _TIMEOUT_SECONDS)
        text = reply.body.decode(errors="replace").strip()
        if reply.status != 200 or not text:
            raise UnreachableError(
                f"the metadata server answered {path.partition('?')[0]} with status {reply.status}; "
                "does the instance have a service account?"
            )
        return text


class IdentityTokens:
    """The current identity token, kept until five minutes before its end. Threads may share it."""

    def __init__(self, fetch: Callable[[], str], *, wall_clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._wall_clock = wall_clock
        self._kept: tuple[str, float] | None = None

    def current(self) -> str:
        """A valid token. Raises UnreachableError."""
        kept, now = self._kept, self._wall_clock()
        if kept is not None and now < kept[1] - _RENEWED_BEFORE_END_SECONDS:
            return kept[0]
        try:
            token = self._fetch()
        except UnreachableError:
            if kept is not None and now < kept[1]:
                return kept[0]  # still valid: the metadata server may answer next time
            raise
        self._kept = (token, expiry_of(token))
        return token

    def drop(self) -> None:
        """Forget the token: the other side has refused it."""
        self._kept = None


def expiry_of(token: str) -> float:
    """`exp` of a JSON Web Token in seconds since the epoch; 0 (never kept) for a token that cannot be read."""
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (ValueError, KeyError, TypeError):
        return 0.0
