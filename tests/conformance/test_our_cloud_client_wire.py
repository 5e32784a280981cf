"""What our Cloud Run client puts on the wire, and what it makes of silence: against a server that answers as told."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from scaler.cloud_run.client import CloudRun, CredentialKind
from scaler.cloud_run.wire import ScalingMode, worker_pool
from scaler.errors import CapacityRefused, Conflict, NotFound, PermissionDenied, Unavailable
from tests.cloud_replies import PARENT, Answers, answering_server, error_json, pool_json

POOL = worker_pool(json.dumps(pool_json()).encode())
OPERATION = f"{PARENT}/operations/op-1"


@pytest.fixture
def google() -> Iterator[Answers]:
    with answering_server() as answers:
        yield answers


@pytest.fixture
async def cloud_run(google: Answers) -> AsyncIterator[CloudRun]:
    cloud_run = CloudRun(
        project="my-project",
        region="us-central1",
        endpoint=google.url,
        credentials=CredentialKind.ANONYMOUS,
        timeout_seconds=5,
    )
    yield cloud_run
    await cloud_run.aclose()


async def test_all_pages_are_listed_with_their_scaling_mode(cloud_run: CloudRun, google: Answers) -> None:
    automatic = pool_json("linux-a2", scaling={"scalingMode": "AUTOMATIC"})
    google.replies = [
        (200, {"workerPools": [pool_json()], "nextPageToken": "p/2"}),
        (200, {"workerPools": [automatic]}),
    ]
    first, second = await cloud_run.list_worker_pools()
    assert (first.scaling_mode, second.scaling_mode) == (ScalingMode.MANUAL, ScalingMode.AUTOMATIC)
    assert [sent.path for sent in google.sent] == [
        f"/v2/{PARENT}/workerPools?pageSize=100",
        f"/v2/{PARENT}/workerPools?pageSize=100&pageToken=p%2F2",
    ]


async def test_googles_clock_is_known_from_its_answers(cloud_run: CloudRun, google: Answers) -> None:
    """Also from those that refuse."""
    google.replies = [(403, error_json(403, "PERMISSION_DENIED", "no"))]
    assert cloud_run.told_time is None
    with pytest.raises(PermissionDenied):
        await cloud_run.list_worker_pools()
    assert cloud_run.told_time == pytest.approx(time.time(), abs=2.0)


async def test_a_list_with_a_missing_page_is_no_list(cloud_run: CloudRun, google: Answers) -> None:
    google.replies = [(200, {"workerPools": [pool_json()], "nextPageToken": "2"}), (503, {})]
    with pytest.raises(Unavailable):
        await cloud_run.list_worker_pools()


async def test_a_write_changes_the_count_only_and_only_of_the_state_that_was_read(
    cloud_run: CloudRun, google: Answers
) -> None:
    """Zero stands in the body; name, template and labels do not."""
    google.replies = [(200, {"name": OPERATION, "done": False})]
    operation = await cloud_run.set_count(POOL, 0)
    (sent,) = google.sent
    assert (operation.name, operation.done) == (OPERATION, False)
    assert sent.method == "PATCH"
    assert sent.path.startswith(f"/v2/{PARENT}/workerPools/linux-a1?updateMask=scaling.manualInstanceCount")
    assert sent.body == {"etag": '"etag-7"', "scaling": {"manualInstanceCount": 0}}


@pytest.mark.parametrize(
    "reply",
    [
        "<html>a page of a proxy</html>",
        [],
        {"name": OPERATION, "metadata": {"@type": "type.googleapis.com/google.cloud.run.v3.Newer"}},
    ],
)
async def test_a_write_whose_answer_is_not_understood_may_have_had_an_effect(
    cloud_run: CloudRun, google: Answers, reply: object
) -> None:
    """It is no fault of this program: a scaler that took it for one would end itself at each of its writes."""
    google.replies = [(200, reply), (200, {"name": OPERATION})]
    with pytest.raises(Unavailable, match="set worker pool linux-a1 to 3"):
        await cloud_run.set_count(POOL, 3)
    assert len(google.sent) == 1


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ((409, error_json(409, "ABORTED", "Conflict for resource")), Conflict),
        (
            (400, error_json(400, "FAILED_PRECONDITION", "CpuAllocPerProjectRegion allowed: 0")),
            CapacityRefused,
        ),
        ((404, error_json(404, "NOT_FOUND", "gone")), NotFound),
        ((403, error_json(403, "PERMISSION_DENIED", "no")), PermissionDenied),
        ((500, error_json(500, "INTERNAL", "oops")), Unavailable),
        ((503, error_json(503, "UNAVAILABLE", "oops")), Unavailable),
        (None, Unavailable),
    ],
)
async def test_a_failed_write_is_told_and_never_sent_again(
    cloud_run: CloudRun, google: Answers, reply: tuple[int, object] | None, error: type[Exception]
) -> None:
    """A hidden second PATCH could arrive after the decision that supersedes it."""
    google.replies = [reply, (200, {"name": OPERATION, "done": False})]
    with pytest.raises(error):
        await cloud_run.set_count(POOL, 3)
    assert len(google.sent) == 1


async def test_an_operation_is_followed_by_its_name(cloud_run: CloudRun, google: Answers) -> None:
    failed = {
        "name": OPERATION,
        "done": True,
        "error": {"code": 8, "message": "CpuAllocPerProjectRegion allowed: 0"},
    }
    google.replies = [
        (200, {"name": OPERATION, "done": False}),
        (200, {"name": OPERATION, "done": True}),
        (200, failed),
    ]
    states = [await cloud_run.operation(OPERATION) for _ in range(3)]
    assert [state.done for state in states] == [False, True, True]
    assert [type(state.error) for state in states] == [type(None), type(None), CapacityRefused]
    assert {sent.path.split("?")[0] for sent in google.sent} == {f"/v2/{OPERATION}"}


async def test_a_reply_that_is_not_understood_is_no_reading(cloud_run: CloudRun, google: Answers) -> None:
    google.replies = [(200, {"name": "strange"})]
    with pytest.raises(Unavailable, match="not understood"):
        await cloud_run.get_worker_pool("linux-a1")


async def test_a_field_is_written_whole_with_its_mask_and_etag_and_nothing_else(
    cloud_run: CloudRun, google: Answers
) -> None:
    """Fields that Google's client does not know are sent as they were read."""
    template = {**pool_json()["template"], "sandboxes": {"templates": [{"name": "later"}]}}
    google.replies = [(200, pool_json(template=template)), (200, {"name": OPERATION})]
    read = await cloud_run.get_document("linux-a1")
    assert read.data["template"] == template
    assert (await cloud_run.set_field(read, "template", read.data["template"])).name == OPERATION
    sent = google.sent[1]
    assert (sent.method, sent.path) == ("PATCH", f"/v2/{PARENT}/workerPools/linux-a1?updateMask=template")
    assert sent.body == {"etag": '"etag-7"', "template": template}


async def test_a_worker_pool_is_deleted_only_as_it_was_read(cloud_run: CloudRun, google: Answers) -> None:
    google.replies = [(200, {"name": OPERATION, "done": True}), (409, error_json(409, "ABORTED", "Conflict"))]
    assert (await cloud_run.delete_worker_pool(POOL)).done
    (sent,) = google.sent
    assert (sent.method, sent.body) == ("DELETE", None)
    assert sent.path == f"/v2/{PARENT}/workerPools/linux-a1?etag=%22etag-7%22"
    with pytest.raises(Conflict):
        await cloud_run.delete_worker_pool(POOL)


async def test_a_write_whose_connection_ends_is_sent_once_and_may_have_had_an_effect(
    cloud_run: CloudRun, google: Answers
) -> None:
    """A hidden second one could arrive after a later decision."""
    google.replies = [(200, pool_json()), None, None]
    read = await cloud_run.get_document("linux-a1")
    for call in (cloud_run.set_field(read, "labels", {}), cloud_run.delete_worker_pool(read.reading)):
        with pytest.raises(Unavailable, match="did not answer"):
            await call
    assert [sent.method for sent in google.sent] == ["GET", "PATCH", "DELETE"]


async def test_silence_ends_after_the_time_out() -> None:
    """The kernel takes the connection; nobody ever answers it."""
    deaf = socket.create_server(("127.0.0.1", 0))
    port = deaf.getsockname()[1]
    cloud_run = CloudRun(
        project="p-123456",
        region="r",
        endpoint=f"http://127.0.0.1:{port}",
        credentials=CredentialKind.ANONYMOUS,
        timeout_seconds=0.2,
    )
    try:
        for call in (
            cloud_run.list_worker_pools(),
            cloud_run.set_count(POOL, 1),
            cloud_run.operation(OPERATION),
        ):
            with pytest.raises(Unavailable, match="did not answer"):
                await call
    finally:
        await cloud_run.aclose()
        deaf.close()


async def test_missing_credentials_are_told_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    cloud_run = CloudRun(project="p-123456", region="r", endpoint="http://127.0.0.1:9")
    try:
        with pytest.raises(PermissionDenied, match=r"no usable Google credentials.*\n.*gcloud auth"):
            await cloud_run.list_worker_pools()
    finally:
        await cloud_run.aclose()


def test_googles_client_is_not_imported_before_it_is_needed() -> None:
    """It takes a third of a second, which `check-config` and `--help` need not wait for."""
    program = "import sys, scaler.cloud_run.client, scaler.config, scaler.secrets; print('google.cloud' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout == "False\n"
