"""Rate limits and conditional requests of the stand-in GitHub, on a real socket."""

from tests.emulator_github import (
    Checked,
    GitHubServer,
    jit_request,
    workflow,
)

ORG = "/orgs/acme/actions/runners"
REPO = "/repos/acme/widgets/actions/runners"


def test_a_conditional_request_is_free_when_nothing_has_changed(server: GitHubServer) -> None:
    installed = server.set_up("thrifty")
    client = installed.as_installation()
    path = "/repos/thrifty/widgets/actions/runs?status=queued"
    first = client.get(path)
    second = client.get(path, **{"if-none-match": first.headers["etag"]})
    assert (second.status_code, second.headers["etag"]) == (304, first.headers["etag"])
    assert second.headers["x-ratelimit-used"] == first.headers["x-ratelimit-used"] == "1"
    server.push(workflow("build", labels="[nobody]"), repository="thrifty/widgets")
    third = client.get(path, **{"if-none-match": first.headers["etag"]})
    assert (third.status_code, third.json()["total_count"]) == (200, 1)
    assert third.headers["x-ratelimit-used"] == "2"


def test_an_etag_holds_for_one_token_only(server: GitHubServer) -> None:
    installed = server.set_up("tokens")
    etag = installed.as_installation().get("/installation/repositories").headers["etag"]
    other = installed.as_installation().get("/installation/repositories", **{"if-none-match": etag})
    assert other.status_code == 200
    assert other.headers["etag"] != etag


def test_a_bad_credential_gets_no_304(server: GitHubServer) -> None:
    installed = server.set_up("stale")
    etag = installed.as_installation().get("/installation/repositories").headers["etag"]
    reply = Checked(server, "ghs_gone").get("/installation/repositories", **{"if-none-match": etag})
    assert reply.status_code == 401


def test_the_rate_limit_is_counted_shown_and_enforced(server: GitHubServer) -> None:
    installed = server.set_up("eager")
    client = installed.as_installation()
    for used in (1, 2):
        reply = client.get("/installation/repositories")
        assert reply.headers["x-ratelimit-limit"] == "5000"
        assert reply.headers["x-ratelimit-used"] == str(used)
        assert reply.headers["x-ratelimit-resource"] == "core"
    shown = client.get("/rate_limit").json()
    assert (shown["rate"]["used"], shown["rate"]["remaining"]) == (2, 4998)
    limits, caller = server.stand_in._site.world.limits, f"installation ID {installed.installation_id}"
    while limits.reading(caller, "core", now=server.clock()).remaining:
        limits.spend(caller, "core", now=server.clock())
    refused = client.get("/installation/repositories")
    assert refused.status_code == 403
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert "rate limit exceeded" in refused.json()["message"]
    assert client.get("/rate_limit").status_code == 200
    server.pass_time(3601)
    assert installed.as_installation().get("/installation/repositories").status_code == 200


def test_registrations_have_a_limit_of_their_own(server: GitHubServer) -> None:
    client = server.set_up("burst").as_installation()
    limits = server.stand_in._site.world.limits
    for _ in range(1_500):
        limits.spend("burst/", "actions_runner_registration", now=server.clock())
    refused = client.post("/orgs/burst/actions/runners/generate-jitconfig", jit_request("late"))
    assert (refused.status_code, refused.headers["x-ratelimit-resource"]) == (
        403,
        "actions_runner_registration",
    )
    server.pass_time(301)
    assert (
        client.post("/orgs/burst/actions/runners/generate-jitconfig", jit_request("late")).status_code == 201
    )
    assert client.get("/rate_limit").json()["resources"]["actions_runner_registration"]["used"] == 1
