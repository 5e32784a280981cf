"""What an instance's metadata server answers. Pure: a request in, a reply out; tokens come from the caller's service.

https://cloud.google.com/run/docs/container-contract#metadata-server
https://cloud.google.com/compute/docs/metadata/querying-metadata
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

PREFIX = "/computeMetadata/v1/"
FLAVOR = ("Metadata-Flavor", "Google")
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
TOKEN_LIFETIME_SECONDS = 3599


class Tokens(Protocol):
    """Where tokens of a service account come from."""

    def identity_token(self, *, email: str, audience: str, with_email: bool) -> str: ...

    def access_token(self, *, email: str) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFacts:
    """What the metadata server knows of its instance."""

    instance: str
    project: str
    project_number: str
    region: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    body: str
    content_type: str = "application/text"


FORBIDDEN = Reply(
    status=403,
    content_type="text/html",
    body="Missing required header: Metadata-Flavor, or the request was forwarded.\n",
)
NOT_FOUND = Reply(
    status=404, content_type="text/html", body="The requested URL was not found on this server.\n"
)


def metadata_reply(
    *, method: str, target: str, headers: Mapping[str, str], facts: InstanceFacts, tokens: Tokens
) -> Reply:
    """`headers` by lowercase name. Without `Metadata-Flavor: Google`, or through a proxy, everything is forbidden."""
    url = urlsplit(target)
    if method != "GET":
        return Reply(status=405, content_type="text/html", body="Only GET is allowed here.\n")
    if (
        url.path == "/"
    ):  # google-auth looks here, and at the reply's header, to learn whether it runs on Google Cloud
        return Reply(status=200, body="computeMetadata/\n")
    if headers.get("metadata-flavor") != "Google" or "x-forwarded-for" in headers:
        return FORBIDDEN
    if not url.path.startswith(PREFIX):
        return NOT_FOUND
    query = parse_qs(url.query)
    path = url.path.removeprefix(PREFIX)
    account, _, account_path = path.removeprefix("instance/service-accounts/").partition("/")
    if path.startswith("instance/service-accounts/") and account in ("default", facts.email):
        return _account_reply(account_path, query, facts, tokens)
    values = {
        "instance/id": facts.instance,
        "instance/region": f"projects/{facts.project_number}/regions/{facts.region}",
        "instance/zone": f"projects/{facts.project_number}/zones/{facts.region}-1",
        "instance/service-accounts/": f"default/\n{facts.email}/\n",
        "project/project-id": facts.project,
        "project/numeric-project-id": facts.project_number,
    }
    return Reply(status=200, body=values[path]) if path in values else NOT_FOUND


def _account_reply(path: str, query: Mapping[str, list[str]], facts: InstanceFacts, tokens: Tokens) -> Reply:
    match path:
        case "" if query.get("recursive", ["false"])[0].lower() == "true":
            description = {"aliases": ["default"], "email": facts.email, "scopes": SCOPES}
            return Reply(status=200, content_type="application/json", body=json.dumps(description))
        case "":
            return Reply(status=200, body="aliases\nemail\nidentity\nscopes\ntoken\n")
        case "email":
            return Reply(status=200, body=facts.email)
        case "aliases":
            return Reply(status=200, body="default\n")
        case "scopes":
            return Reply(status=200, body="".join(f"{scope}\n" for scope in SCOPES))
        case "token":
            token = {
                "access_token": tokens.access_token(email=facts.email),
                "expires_in": TOKEN_LIFETIME_SECONDS,
                "token_type": "Bearer",
            }
            return Reply(status=200, content_type="application/json", body=json.dumps(token))
        case "identity":
            audience = query.get("audience", [""])[0]
            if not audience:
                return Reply(
                    status=400, content_type="text/html", body="non-empty audience parameter required\n"
                )
            # That the short format carries no e-mail is documented for Compute Engine and assumed for Cloud Run.
            full = query.get("format", ["standard"])[0] == "full"
            return Reply(
                status=200,
                content_type="text/html",
                body=tokens.identity_token(email=facts.email, audience=audience, with_email=full),
            )
        case _:
            return NOT_FOUND
