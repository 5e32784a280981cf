"""What an account without a role is told, seen by Google's clients and over plain HTTP. Ran on: the stand-in cloud."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google.api_core import exceptions
from google.cloud import run_v2, secretmanager_v1
from google.oauth2.credentials import Credentials

from tests.emulator_process import Emulator, running_emulator

CELL = "cell@demo-project.iam.gserviceaccount.com"
SCALER = "scaler@demo-project.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    state = tmp_path_factory.mktemp("world")
    with running_emulator(state, time_factor=0.02, module="tests.emulator_with_silent_github") as world:
        world.cloud.put_secret(world.project, "app-key", "the key")
        world.cloud.http.post("/storage/v1/b", json={"name": "records"}).raise_for_status()
        yield world


def token(emulator: Emulator, email: str, *roles: str) -> str:
    emulator.cloud.give_roles(email, *roles)
    return emulator.cloud.access_token(email)


def client(emulator: Emulator, kind: Any, access_token: str) -> Any:
    return kind(
        credentials=Credentials(access_token),  # type: ignore[no-untyped-call]
        transport="rest",
        client_options={"api_endpoint": emulator.cloud_url},
    )


def test_googles_client_is_denied_worker_pools_without_a_role(emulator: Emulator) -> None:
    parent = emulator.cloud.parent
    with client(emulator, run_v2.WorkerPoolsClient, token(emulator, CELL)) as pools:
        for call in (
            lambda: list(pools.list_worker_pools(parent=parent)),
            lambda: pools.get_worker_pool(name=f"{parent}/workerPools/any"),
            lambda: pools.delete_worker_pool(name=f"{parent}/workerPools/any"),
        ):
            with pytest.raises(exceptions.Forbidden) as denied:
                call()
            assert denied.value.reason == "IAM_PERMISSION_DENIED"
    assert emulator.cloud.writes() == [], "a denied write must not reach the world"


def test_googles_client_is_let_in_with_the_role(emulator: Emulator) -> None:
    with client(emulator, run_v2.WorkerPoolsClient, token(emulator, SCALER, "roles/run.developer")) as pools:
        assert list(pools.list_worker_pools(parent=emulator.cloud.parent)) == []


def test_secret_manager_denies_and_grants(emulator: Emulator) -> None:
    name = f"projects/{emulator.project}/secrets/app-key/versions/latest"
    kind = secretmanager_v1.SecretManagerServiceClient
    with (
        client(emulator, kind, token(emulator, CELL)) as secrets,
        pytest.raises(exceptions.Forbidden),
    ):
        secrets.access_secret_version(name=name)
    with client(emulator, kind, token(emulator, SCALER, "roles/secretmanager.secretAccessor")) as secrets:
        assert secrets.access_secret_version(name=name).payload.data == b"the key"


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/storage/v1/b/records"),
    ("GET", "/storage/v1/b/records/o"),
    ("GET", "/storage/v1/b/records/o/cells%2Fone"),
    ("GET", "/download/storage/v1/b/records/o/cells%2Fone?alt=media"),
    ("DELETE", "/storage/v1/b/records/o/cells%2Fone"),
    ("POST", "/upload/storage/v1/b/records/o?uploadType=media&name=cells%2Ftwo"),
    ("POST", "/storage/v1/b"),
])  # fmt: skip
def test_cloud_storage_denies_in_its_own_form(emulator: Emulator, method: str, path: str) -> None:
    reply = asked(emulator, method, path, token(emulator, CELL))
    assert reply.status_code == 403
    error = reply.json()["error"]
    assert (error["code"], error["errors"][0]["reason"]) == (403, "forbidden")


def test_cloud_storage_is_open_to_the_role_that_needs_it(emulator: Emulator) -> None:
    granted = token(emulator, SCALER, "roles/storage.objectUser")
    path = "/upload/storage/v1/b/records/o?uploadType=media&name=cells%2Fmine"
    assert asked(emulator, "POST", path, granted).status_code == 200
    assert asked(emulator, "GET", "/storage/v1/b/records/o/cells%2Fmine", granted).status_code == 200
    assert asked(emulator, "POST", "/storage/v1/b", granted).status_code == 403


@pytest.mark.parametrize(
    "path", ["/storage/v1/b/records/o", "/v2/projects/demo-project/locations/us-central1/workerPools"]
)
def test_a_token_that_is_nobodys_is_401(emulator: Emulator, path: str) -> None:
    """An identity token is no access token either."""
    identity = emulator.cloud.identity_token(email=SCALER, audience="https://run.googleapis.com")
    for stranger in ("ya29.invented", identity):
        assert asked(emulator, "GET", path, stranger).status_code == 401


def test_a_role_that_does_not_exist_is_refused(emulator: Emulator) -> None:
    reply = emulator.cloud.http.put(f"/_control/accounts/{CELL}", json={"roles": ["roles/owner"]})
    assert reply.status_code == 400
    assert "roles/run.developer" in reply.json()["error"]["message"]


def asked(emulator: Emulator, method: str, path: str, access_token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {access_token}"}
    return emulator.cloud.http.request(method, path, headers=headers, content=b"{}")
