"""Who may ask the stand-in GitHub, on a real socket; every exchange is held against GitHub's published description."""

import httpx

from tests.emulator_github import (
    Checked,
    GitHubServer,
    Installed,
    jit_request,
)

ORG = "/orgs/acme/actions/runners"
REPO = "/repos/acme/widgets/actions/runners"


def test_the_app_finds_itself_and_its_installation(acme: Installed) -> None:
    app = acme.as_app()
    assert app.get("/app").json()["client_id"] == acme.client_id
    assert app.get("/orgs/ACME/installation").json()["id"] == acme.installation_id
    assert app.get("/repos/acme/widgets/installation").json()["app_id"] == acme.app_id
    assert app.get("/orgs/nobody/installation").status_code == 404
    assert app.get("/repos/acme/nothing/installation").status_code == 404


def test_the_app_may_sign_with_its_number_instead_of_its_client_id(acme: Installed) -> None:
    assert acme.as_app(acme.jwt(iss=str(acme.app_id))).get("/app").status_code == 200


def test_calls_without_a_good_credential_are_refused(acme: Installed, server: GitHubServer) -> None:
    nobody = Checked(server, None)
    assert nobody.get("/app").json()["message"] == "Requires authentication"
    assert nobody.get(ORG).status_code == 401
    assert acme.as_app(acme.jwt(exp=1)).get("/app").status_code == 401
    assert Checked(server, "ghs_wrong").get(ORG).json() == {
        "message": "Bad credentials",
        "documentation_url": "https://docs.github.com/rest",
        "status": "401",
    }
    assert acme.as_app().get(ORG).status_code == 401
    assert acme.as_installation().get("/app").status_code == 401


def test_an_installation_token_expires(server: GitHubServer) -> None:
    installed = server.set_up("expiring")
    client = installed.as_installation()
    assert client.get("/installation/repositories").status_code == 200
    server.pass_time(3601)
    assert client.get("/installation/repositories").status_code == 401
    assert installed.as_installation().get("/installation/repositories").status_code == 200


def test_a_token_can_be_narrowed_to_repositories_and_permissions(acme: Installed) -> None:
    client = acme.as_installation(repositories=["widgets"], permissions={"actions": "read"})
    names = [one["name"] for one in client.get("/installation/repositories").json()["repositories"]]
    assert names == ["widgets"]
    assert client.get("/repos/acme/widgets/actions/runs").status_code == 200
    assert client.get("/repos/acme/site/actions/runs").status_code == 404
    refused = client.get(ORG)
    assert (refused.status_code, refused.json()["message"]) == (403, "Resource not accessible by integration")
    assert refused.headers["x-accepted-github-permissions"] == "organization_self_hosted_runners=read"


def test_token_requests_that_make_no_sense_are_refused(acme: Installed) -> None:
    path = f"/app/installations/{acme.installation_id}/access_tokens"
    assert acme.as_app().post(path, {"repositories": ["nowhere"]}).status_code == 422
    assert acme.as_app().post(path, {"permissions": {"contents": "write"}}).status_code == 422
    assert acme.as_app().post("/app/installations/1/access_tokens").status_code == 404
    assert acme.as_app().post("/app/installations/x/access_tokens").status_code == 404


def test_one_app_sees_nothing_of_another_organization(acme: Installed, server: GitHubServer) -> None:
    other = server.set_up("elsewhere").as_installation()
    assert other.get(ORG).status_code == 404
    assert other.get("/repos/acme/widgets/actions/runs").status_code == 404
    assert other.post(f"{ORG}/generate-jitconfig", jit_request("spy")).status_code == 404


def test_the_repositories_of_the_installation_are_listed(github: Checked) -> None:
    listed = github.get("/installation/repositories").json()
    assert [(one["full_name"], one["private"]) for one in listed["repositories"]] == [
        ("acme/widgets", True),
        ("acme/site", False),
    ]


def test_unknown_addresses_and_wrong_methods_answer_404_in_githubs_form(server: GitHubServer) -> None:
    for method, path in (("GET", "/api/v3/nothing"), ("PUT", "/api/v3/app"), ("GET", "/nothing")):
        reply = httpx.request(method, server.url + path, trust_env=False)
        assert reply.status_code == 404
        assert reply.json()["message"] == "Not Found"


def test_the_api_answers_without_its_prefix_too(acme: Installed, server: GitHubServer) -> None:
    headers = {"authorization": f"Bearer {acme.jwt()}"}
    assert httpx.get(f"{server.url}/app", headers=headers, trust_env=False).json()["id"] == acme.app_id
