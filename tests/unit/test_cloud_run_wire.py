"""What a worker pool's JSON means, and which error each refusal is."""

import json
from typing import Any

import pytest

from github_api.secret import Secret
from scaler.cloud_run.wire import (
    ScalingMode,
    WorkerPool,
    WrongShape,
    operation_error,
    operation_state,
    refusal,
    worker_pool,
    worker_pools,
)
from scaler.errors import (
    CapacityRefused,
    CloudRunError,
    Conflict,
    NotFound,
    PermissionDenied,
    Rejected,
    Throttled,
    Unavailable,
)
from tests.cloud_replies import error_json, pool_json


def read(**changes: Any) -> WorkerPool:
    return worker_pool(json.dumps(pool_json(**changes)).encode())


def test_a_worker_pool_is_read_whole() -> None:
    pool = read()
    assert (pool.id, pool.uid, pool.etag, pool.count) == ("linux-a1", "uid-of-linux-a1", '"etag-7"', 2)
    assert (pool.generation, pool.observed_generation, pool.reconciling) == (7, 7, False)
    assert pool.scaling_mode is ScalingMode.MANUAL
    assert pool.service_account == "cell@my-project.iam.gserviceaccount.com"
    assert pool.labels == {"runner-pool-pool": "linux"}
    assert pool.env["RUNNER_POOL_SCALER_URL"] == "https://scaler.example.com"
    assert "LATER" not in pool.env
    assert pool.last_modifier == "scaler@my-project.iam.gserviceaccount.com"
    assert not pool.deleted
    assert pool.failure is None


def test_the_cells_secret_is_hidden() -> None:
    pool = read()
    assert pool.cell_secret == Secret("hunter2")
    assert "hunter2" not in repr(pool)
    assert "hunter2" not in str(pool.env)


@pytest.mark.parametrize(
    ("scaling", "count"),
    [
        ({"manualInstanceCount": 0}, 0),
        ({"manualInstanceCount": 3}, 3),
        ({}, None),
        ({"manualInstanceCount": None}, None),
    ],
)
def test_a_missing_count_is_unknown_and_not_zero(scaling: dict[str, Any], count: int | None) -> None:
    assert read(scaling=scaling).count == count


@pytest.mark.parametrize(
    ("written", "mode"),
    [
        ("MANUAL", ScalingMode.MANUAL),
        (None, ScalingMode.MANUAL),
        ("AUTOMATIC", ScalingMode.AUTOMATIC),
        ("DREAMT", ScalingMode.OTHER),
        (2, ScalingMode.OTHER),
    ],
)
def test_only_manual_scaling_is_manual(written: object, mode: ScalingMode) -> None:
    assert read(scaling={"manualInstanceCount": 1, "scalingMode": written}).scaling_mode is mode


@pytest.mark.parametrize(
    ("changes", "settled"),
    [
        ({}, True),
        ({"observedGeneration": "6"}, False),
        ({"reconciling": True}, False),
        ({"observedGeneration": "0"}, False),
        ({"terminalCondition": {"state": "CONDITION_FAILED", "message": "no quota"}}, False),
    ],
)
def test_settled_means_seen_and_carried_out(changes: dict[str, Any], settled: bool) -> None:
    assert read(**changes).settled is settled


def test_cloud_runs_own_words_about_a_failure_are_kept() -> None:
    """Quota refusals arrive late, as a condition."""
    condition = {"state": "CONDITION_FAILED", "message": "Quota exceeded for total allowable CPU"}
    assert read(terminalCondition=condition).failure == "Quota exceeded for total allowable CPU"
    assert read(terminalCondition={"state": "CONDITION_FAILED"}).failure == "Cloud Run gives no reason"


@pytest.mark.parametrize(
    ("message", "moment", "refused_at"),
    [
        (
            "Quota violated: - CpuAllocPerProjectRegion allowed: 0",
            "2026-11-26T08:00:00.123456789Z",
            1795680000.123456,
        ),
        ("Quota violated: - CpuAllocPerProjectRegion allowed: 0", "today", None),
        ("the image does not exist", "2026-11-26T08:00:00Z", None),
    ],
)
def test_a_failure_for_want_of_capacity_says_since_when(
    message: str, moment: str, refused_at: float | None
) -> None:
    """Other failures say nothing about how many instances the region has room for."""
    condition = {"state": "CONDITION_FAILED", "message": message, "lastTransitionTime": moment}
    assert read(terminalCondition=condition).refused_at == pytest.approx(refused_at)


def test_a_page_names_the_next_one() -> None:
    pools, token = worker_pools(json.dumps({"workerPools": [pool_json()], "nextPageToken": "p2"}).encode())
    assert ([pool.id for pool in pools], token) == (["linux-a1"], "p2")
    assert worker_pools(b"{}") == ((), None)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "linux-a1"},
        {"uid": ""},
        {"etag": None},
        {"generation": None},
        {"generation": "seven"},
        {"generation": 0},
        {"scaling": []},
        {"scaling": {"manualInstanceCount": True}},
        {"template": {"containers": {}}},
        {"template": {"containers": [{"env": [3]}]}},
        {"labels": "x"},
    ],
)
def test_a_document_of_another_shape_is_not_guessed_at(changes: dict[str, Any]) -> None:
    with pytest.raises(WrongShape):
        read(**changes)


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"[" * 300_000, b'{"workerPools": {}}', b'{"workerPools": [1]}']
)
def test_a_list_of_another_shape_is_not_guessed_at(body: bytes) -> None:
    with pytest.raises(WrongShape):
        worker_pools(body)


@pytest.mark.parametrize(
    ("status", "name", "message", "error"),
    [
        (
            409,
            "ABORTED",
            "Conflict for resource 'x': version '1' was specified but current version is '2'.",
            Conflict,
        ),
        (429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Write requests' and limit", Throttled),
        (
            400,
            "FAILED_PRECONDITION",
            "Quota violated: - CpuAllocPerProjectRegion requested: 2 allowed: 1",
            CapacityRefused,
        ),
        (429, "RESOURCE_EXHAUSTED", "CpuAllocPerProjectRegion ... allowed: 0", CapacityRefused),
        (
            400,
            "FAILED_PRECONDITION",
            "Quota exceeded for total allowable CPU per project per region",
            CapacityRefused,
        ),
        (400, "INVALID_ARGUMENT", "bad count", Rejected),
        (400, "FAILED_PRECONDITION", "The worker pool is being deleted", Rejected),
        (401, "UNAUTHENTICATED", "no", PermissionDenied),
        (403, "PERMISSION_DENIED", "no", PermissionDenied),
        (404, "NOT_FOUND", "no", NotFound),
        (408, "", "", Unavailable),
        (500, "INTERNAL", "", Unavailable),
        (503, "UNAVAILABLE", "", Unavailable),
    ],
)
def test_each_refusal_has_its_error(status: int, name: str, message: str, error: type[CloudRunError]) -> None:
    refused = refusal(
        status=status, body=json.dumps(error_json(status, name, message)).encode(), call="set x to 1"
    )
    assert type(refused) is error
    assert refused.status == status
    assert refused.remedy
    assert "refused to set x to 1" in refused.what


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"[]", b'{"error": "x"}'])
def test_a_refusal_without_googles_words_is_still_told(body: bytes) -> None:
    assert type(refusal(status=502, body=body, call="x")) is Unavailable


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (8, "CpuAllocPerProjectRegion allowed: 0", CapacityRefused),
        (9, "Quota exceeded for total allowable CPU", CapacityRefused),
        (8, "too many", Throttled),
        (10, "", Conflict),
        (5, "", NotFound),
        (7, "", PermissionDenied),
        (3, "", Rejected),
        (14, "", Unavailable),
        (99, "", Unavailable),
    ],
)
def test_an_operation_may_end_in_any_of_the_same_errors(
    code: int, message: str, error: type[CloudRunError]
) -> None:
    assert type(operation_error(code=code, message=message, call="x")) is error


def test_code_zero_is_no_error() -> None:
    assert operation_error(code=0, message="", call="x") is None


@pytest.mark.parametrize(
    ("body", "done", "error"),
    [
        (b'{"name": "o"}', False, type(None)),
        (b'{"name": "o", "done": true, "response": {}}', True, type(None)),
        (b'{"name": "o", "done": true, "error": {"code": 10, "message": "changed"}}', True, Conflict),
        (
            b'{"name": "o", "done": true, "error": {"code": 8, "message": "CpuAllocPerProjectRegion"}}',
            True,
            CapacityRefused,
        ),
    ],
)
def test_an_operation_is_under_way_or_done_or_failed(body: bytes, done: bool, error: type) -> None:
    state = operation_state(body, call="x")
    assert (state.done, type(state.error)) == (done, error)


def test_what_an_operation_shows_beyond_the_published_message_is_no_obstacle() -> None:
    """Cloud Run knows words that its clients do not."""
    pool = {"scaling": {"scalingMode": "MANUAL"}, "template": {"volumes": [{"emptyDir": {"medium": "DISK"}}]}}
    body = json.dumps({"name": "o", "metadata": {"@type": "x/WorkerPool", **pool}, "done": True}).encode()
    assert operation_state(body, call="x").done
