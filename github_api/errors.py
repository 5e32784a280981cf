"""What can go wrong with GitHub, by who is at fault and whether trying again can help.

    GitHubError
    ├── Unavailable            no answer or 5xx: the outcome is unknown. May be retried
    ├── RateLimited            we asked too much: nothing was done. May be retried after `until`
    ├── BadCredentials         401: App id, key or clock are wrong, or the token was revoked
    ├── PermissionDenied       403: the App lacks a permission, or is suspended
    ├── InstallationMissing    the App is not installed where the configuration says
    ├── NotFound               404: gone, never there, or hidden from this App
    ├── Moved                  301, 302, 307, 308: the repository or organization was renamed
    ├── Conflict               409
    │   └── NameTaken          a runner of that name exists, maybe from a call whose reply was lost
    ├── Rejected               400, 422 and every other 4xx: we asked for something that does not fit
    │   └── RunnerBusy         422 to a removal: the runner has a job
    ├── GitHubBroken           a reply that does not have the documented shape
    ├── BadAppKey              the App's private key cannot be used
    └── WebhookRefused         a delivery that cannot be trusted or read
        ├── SignatureMissing
        ├── SignatureWrong
        └── PayloadUnreadable

Knows no transport. Messages say what happened, then the remedy; they never contain a key, a token or a JIT
configuration.
"""


class GitHubError(Exception):
    """`what` happened in the words of this call; `status` and `request_id` as GitHub gave them."""

    may_retry = False
    remedy = "Look at https://www.githubstatus.com and at the request id in GitHub's audit log."

    def __init__(self, what: str, *, status: int | None = None, request_id: str | None = None) -> None:
        self.what = what
        self.status = status
        self.request_id = request_id
        super().__init__(what)

    def __str__(self) -> str:
        facts = [f"HTTP {self.status}"] if self.status is not None else []
        facts += [f"request {self.request_id}"] if self.request_id else []
        told = f"{self.what} ({', '.join(facts)})" if facts else self.what
        return f"{told}. {self.remedy}"


class Unavailable(GitHubError):
    """No usable answer came; whether the call had an effect is unknown."""

    may_retry = True
    remedy = (
        "GitHub or the network between did not answer; this is tried again later. See "
        "https://www.githubstatus.com if it stays."
    )


class RateLimited(GitHubError):
    """GitHub asks for a pause; the call had no effect. `until` is seconds since the epoch."""

    may_retry = True
    remedy = (
        "Calls go on by themselves after that moment; if it happens often, tick less often or list fewer "
        "repositories."
    )

    def __init__(
        self, what: str, *, until: float, status: int | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(what, status=status, request_id=request_id)
        self.until = until


class BadCredentials(GitHubError):
    """401."""

    remedy = (
        "Check that App id and private key belong together, that the key was not revoked, and that this "
        "machine's clock is right."
    )


class PermissionDenied(GitHubError):
    """403 that is not a limit."""

    remedy = (
        "The App needs: actions read; for an organization's runners organization_self_hosted_runners write, "
        "for a repository's runners administration write. Grant it in the App's settings, then accept the "
        "change in the installation."
    )


class InstallationMissing(GitHubError):
    """No installation of the App for the organization or repository."""

    remedy = (
        "Install the App there (the App's settings, Install App), or correct github.organization / "
        "github.repository."
    )


class NotFound(GitHubError):
    """404."""

    remedy = "It is gone, never was, or the App's installation may not see it."


class Moved(GitHubError):
    """A redirect: GitHub answers so after a rename."""

    remedy = "It was renamed or transferred: write its new name into the configuration."


class Conflict(GitHubError):
    """409."""

    remedy = "Something of that name or state exists already: look again before the next attempt."


class NameTaken(Conflict):
    """The runner name is in use, possibly by the ghost of an earlier call whose reply was lost."""

    remedy = (
        "Ask with a new name; the older registration can be found by its name and removed when no lease "
        "holds it."
    )


class Rejected(GitHubError):
    """4xx: the request does not fit."""

    remedy = "Check runner group, labels and names in the configuration; GitHub's words above name the field."


class RunnerBusy(Rejected):
    """GitHub refuses to remove a runner that has a job."""

    remedy = "Leave it alone: it ends with its job."


class GitHubBroken(GitHubError):
    """A success whose content does not have the documented shape."""

    may_retry = True
    remedy = (
        "Tried again later. If it stays, a proxy may answer in GitHub's place, or github.url does not name a "
        "REST API."
    )


class BadAppKey(GitHubError):
    """The private key cannot be read or is not an RSA private key."""

    remedy = (
        "Use the .pem file that GitHub gave when the key was made (App settings, Private keys), unchanged."
    )


class WebhookRefused(GitHubError):
    """A delivery that is not acted on."""

    remedy = (
        "Compare the webhook's secret and content type (application/json) in the App's settings with the "
        "configuration."
    )


class SignatureMissing(WebhookRefused):
    """No X-Hub-Signature-256: the sender is not GitHub, or the webhook has no secret."""


class SignatureWrong(WebhookRefused):
    """The signature does not fit body and secret."""


class PayloadUnreadable(WebhookRefused):
    """Signed rightly, but not a JSON document of the documented shape."""
