"""Secret Manager, Cloud Storage and the metadata server, seen by the vendor's clients. Ran on: the stand-in cloud."""

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import secretmanager_v1

from tests.emulator_process import Emulator, eventually, running_emulator

ACCOUNT = "cell@demo-project.iam.gserviceaccount.com"
ASK_THE_METADATA_SERVER = """
import json, sys
import google.auth.transport.requests
from google.auth import compute_engine
from google.auth.compute_engine import _metadata
request = google.auth.transport.requests.Request()
access = compute_engine.Credentials()
access.refresh(request)
identity = compute_engine.IDTokenCredentials(request, "https://scaler.example", use_metadata_identity_endpoint=True)
identity.refresh(request)
print(json.dumps({
    "on_gce": _metadata.ping(request),
    "email": access.service_account_email,
    "access": access.token,
    "identity": identity.token,
    "project": _metadata.get_project_id(request),
    "id": _metadata.get(request, "instance/id"),
    "region": _metadata.get(request, "instance/region"),
    "zone": _metadata.get(request, "instance/zone"),
    "host": __import__("os").environ["GCE_METADATA_HOST"],
}), flush=True)
import time; time.sleep(1000)
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    state: Path = tmp_path_factory.mktemp("world")
    with running_emulator(state, time_factor=0.02, module="tests.emulator_with_silent_github") as world:
        yield world


@pytest.fixture(scope="module")
def storage(emulator: Emulator) -> httpx.Client:
    emulator.cloud.http.post("/storage/v1/b", json={"name": "records"}).raise_for_status()
    return emulator.cloud.http


def test_secret_manager_hands_out_versions_of_a_secret(emulator: Emulator) -> None:
    """The official client checks the checksum of what it gets when asked to; we check it here."""
    with secretmanager_v1.SecretManagerServiceClient(
        credentials=AnonymousCredentials(),
        transport="rest",
        client_options={"api_endpoint": emulator.cloud_url},
    ) as client:
        emulator.cloud.put_secret(emulator.project, "app-key", "first")
        emulator.cloud.put_secret(emulator.project, "app-key", "123456789")
        name = f"projects/{emulator.project}/secrets/app-key/versions"
        latest = client.access_secret_version(name=f"{name}/latest")
        assert latest.payload.data == b"123456789"
        assert latest.payload.data_crc32c == 0xE3069283  # the check value of CRC-32C
        assert latest.name.endswith("/secrets/app-key/versions/2")
        assert client.access_secret_version(name=f"{name}/1").payload.data == b"first"
        for missing in (f"{name}/3", f"projects/{emulator.project}/secrets/other/versions/latest"):
            with pytest.raises(exceptions.NotFound):
                client.access_secret_version(name=missing)


def upload(storage: httpx.Client, name: str, data: bytes, **parameters: Any) -> httpx.Response:
    return storage.post(
        "/upload/storage/v1/b/records/o",
        params={"uploadType": "media", "name": name, **parameters},
        content=data,
        headers={"Content-Type": "application/json"},
    )


def test_an_object_is_a_compare_and_set_register(storage: httpx.Client) -> None:
    """Only who knows the newest generation may write; 0 stands for "not yet there"."""
    first = upload(storage, "cells/a", b"1", ifGenerationMatch=0)
    assert first.status_code == 200
    assert upload(storage, "cells/a", b"2", ifGenerationMatch=0).status_code == 412
    generation = int(first.json()["generation"])
    second = upload(storage, "cells/a", b"3", ifGenerationMatch=generation)
    assert int(second.json()["generation"]) > generation
    refused = upload(storage, "cells/a", b"4", ifGenerationMatch=generation)
    assert refused.status_code == 412
    assert refused.json()["error"]["errors"][0]["reason"] == "conditionNotMet"
    media = storage.get("/storage/v1/b/records/o/cells%2Fa", params={"alt": "media"})
    assert media.content == b"3"
    assert media.headers["x-goog-generation"] == second.json()["generation"]
    assert media.headers["content-type"] == "application/json"


def test_metadata_of_an_object_tells_its_versions(storage: httpx.Client) -> None:
    upload(storage, "cells/b", b"123456789")
    found = storage.get("/storage/v1/b/records/o/cells%2Fb").json()
    assert (found["name"], found["size"], found["metageneration"]) == ("cells/b", "9", "1")
    assert base64.b64decode(found["crc32c"]) == 0xE3069283.to_bytes(4, "big")
    unchanged = storage.get(
        "/storage/v1/b/records/o/cells%2Fb", params={"ifGenerationNotMatch": found["generation"]}
    )
    assert unchanged.status_code == 304


def test_a_deletion_obeys_preconditions(storage: httpx.Client) -> None:
    generation = upload(storage, "cells/c", b"1").json()["generation"]
    url = "/storage/v1/b/records/o/cells%2Fc"
    assert storage.delete(url, params={"ifGenerationMatch": int(generation) - 1}).status_code == 412
    assert storage.delete(url, params={"ifGenerationMatch": generation}).status_code == 204
    assert storage.get(url).status_code == 404
    assert storage.delete(url).status_code == 404
    assert upload(storage, "cells/c", b"2", ifGenerationMatch=0).status_code == 200


def test_a_list_has_prefix_and_pages(storage: httpx.Client) -> None:
    for number in range(3):
        upload(storage, f"listed/{number}", b"")
    upload(storage, "other", b"")
    parameters = {"prefix": "listed/", "maxResults": "2"}
    page = storage.get("/storage/v1/b/records/o", params=parameters).json()
    rest = storage.get(
        "/storage/v1/b/records/o", params={**parameters, "pageToken": page["nextPageToken"]}
    ).json()
    assert [item["name"] for item in page["items"] + rest["items"]] == ["listed/0", "listed/1", "listed/2"]
    assert "nextPageToken" not in rest
    assert "items" not in storage.get("/storage/v1/b/records/o", params={"prefix": "nothing"}).json()


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/storage/v1/b/unknown/o", 404),
    ("GET", "/storage/v1/b/unknown", 404),
    ("POST", "/storage/v1/b", 409),
    ("POST", "/upload/storage/v1/b/records/o?uploadType=media", 400),
    ("POST", "/upload/storage/v1/b/records/o?uploadType=media&name=x&ifGenerationMatch=new", 400),
])  # fmt: skip
def test_storage_refuses_in_its_own_form(storage: httpx.Client, method: str, path: str, status: int) -> None:
    reply = storage.request(method, path, json={"name": "records"})
    assert reply.status_code == status
    assert reply.json()["error"]["code"] == status
    assert reply.json()["error"]["errors"][0]["message"]


def test_googles_auth_library_finds_itself_on_google_cloud(emulator: Emulator) -> None:
    """Inside an instance: project, account, access token and an identity token that the public keys prove."""
    emulator.cloud.create_worker_pool(
        "asks", [sys.executable, "-c", ASK_THE_METADATA_SERVER], count=1, service_account=ACCOUNT
    )
    (instance,) = emulator.cloud.wait_for_running("asks", 1)
    said = eventually(
        lambda: emulator.cloud.log(instance["id"]),
        lambda log: log.endswith("\n"),
        what="what the instance saw",
    )
    seen = json.loads(said)
    assert (seen["on_gce"], seen["email"], seen["project"]) == (True, ACCOUNT, emulator.project)
    assert str(seen["id"]) == instance["id"]
    _, number, _, region = seen["region"].split("/")
    assert (region, seen["zone"]) == (emulator.region, f"projects/{number}/zones/{emulator.region}-1")

    claims = proven(emulator, seen["identity"], audience="https://scaler.example")
    assert (claims["email"], claims["email_verified"]) == (ACCOUNT, True)
    assert claims["exp"] - claims["iat"] == 3600

    def set_own_count() -> httpx.Response:
        return emulator.cloud.http.patch(
            f"/v2/{emulator.cloud.parent}/workerPools/asks",
            params={"updateMask": "scaling.manualInstanceCount"},
            json={"scaling": {"manualInstanceCount": 1}},
            headers={"Authorization": f"Bearer {seen['access']}"},
        )

    assert set_own_count().status_code == 403
    emulator.cloud.give_roles(ACCOUNT, "roles/run.developer")
    assert set_own_count().status_code == 200
    assert emulator.cloud.worker_pool("asks")["lastModifier"] == ACCOUNT

    base = f"http://{seen['host']}/computeMetadata/v1"
    flavor = {"Metadata-Flavor": "Google"}
    with httpx.Client() as metadata:
        assert metadata.get(f"{base}/instance/id").status_code == 403
        assert (
            metadata.get(f"{base}/instance/id", headers={**flavor, "X-Forwarded-For": "1.2.3.4"}).status_code
            == 403
        )
        assert metadata.get(f"{base}/instance/nothing", headers=flavor).status_code == 404
        assert metadata.post(f"{base}/instance/id", headers=flavor).status_code == 405
        answered = metadata.get(f"{base}/project/numeric-project-id", headers=flavor)
        assert (answered.text, answered.headers["metadata-flavor"]) == (number, "Google")
        account = f"{base}/instance/service-accounts/default"
        assert metadata.get(f"{account}/identity", headers=flavor).status_code == 400
        short = metadata.get(f"{account}/identity?audience=a", headers=flavor).text
        assert "email" not in proven(emulator, short, audience="a")


def test_the_control_door_signs_for_cron(emulator: Emulator) -> None:
    token = emulator.cloud.identity_token(email="cron@demo-project.iam.gserviceaccount.com", audience="tick")
    assert proven(emulator, token, audience="tick")["email"] == "cron@demo-project.iam.gserviceaccount.com"
    expired = emulator.cloud.identity_token(email="cron@x.example", audience="tick", lifetime_seconds=-10)
    with pytest.raises(jwt.ExpiredSignatureError):
        proven(emulator, expired, audience="tick")
    with pytest.raises(jwt.InvalidAudienceError):
        proven(emulator, token, audience="another")


def proven(emulator: Emulator, token: str, *, audience: str) -> dict[str, Any]:
    keys = jwt.PyJWKSet.from_dict(emulator.cloud.http.get("/oauth2/v3/certs").json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience=audience, issuer=emulator.cloud_url
    )
    return claims
