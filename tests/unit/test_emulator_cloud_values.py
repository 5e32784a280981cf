"""Small values of the stand-in cloud: configurations and masks, quotas, launches, metadata replies, preconditions."""

from typing import Any

import pytest

from emulator.cloud.crc32c import crc32c
from emulator.cloud.errors import GoogleError, InvalidArgumentError, ResourceExhaustedError
from emulator.cloud.launch import obstacle_to_launch, process_plan
from emulator.cloud.metadata import InstanceFacts, Reply, metadata_reply
from emulator.cloud.normal_form import in_normal_form
from emulator.cloud.object_storage import ObjectStore, PreconditionFailedError, Preconditions
from emulator.cloud.quota import WriteQuota
from emulator.cloud.wire import page_offset, page_token, timestamp, with_numeric_enums
from emulator.cloud.worker_pool_config import instance_count, needs_revision, new_config, patched_config

FACTS = InstanceFacts(instance="00ab", project="p", project_number="123", region="r", email="a@example.com")


def body(**fields: Any) -> dict[str, Any]:
    return {"template": {"containers": [{"image": "i", "command": ["run"]}]}, **fields}


def container(**fields: Any) -> dict[str, Any]:
    return {"template": {"containers": [{"image": "i", **fields}]}}


@pytest.mark.parametrize("scaling", [None, {}, {"scalingMode": "MANUAL"}, {"scalingMode": 2}])
def test_the_default_is_one_instance_scaled_by_hand(scaling: Any) -> None:
    config = new_config(body() if scaling is None else body(scaling=scaling))
    assert config["scaling"] == {"scalingMode": "MANUAL", "manualInstanceCount": 1}


@pytest.mark.parametrize(("given", "count"), [(0, 0), (3, 3), ("4", 4)])
def test_a_count_may_be_a_number_or_digits(given: Any, count: int) -> None:
    assert instance_count(new_config(body(scaling={"manualInstanceCount": given}))) == count


def test_automatic_scaling_keeps_the_mode_and_its_minimum() -> None:
    config = new_config(body(scaling={"scalingMode": "AUTOMATIC", "minInstanceCount": 2}))
    assert instance_count(config) == 2
    patched = patched_config(config, {"scaling": {"manualInstanceCount": 5}}, ["scaling.manualInstanceCount"])
    assert patched["scaling"]["scalingMode"] == "AUTOMATIC"
    assert instance_count(patched) == 2


@pytest.mark.parametrize(("wrong", "message"), [
    ({}, "containers"),
    (body(scaling={"manualInstanceCount": -1}), "at least 0"),
    (body(scaling={"manualInstanceCount": True}), "at least 0"),
    (body(scaling={"manualInstanceCount": 1.5}), "at least 0"),
    (body(scaling={"count": 1}), 'Unknown name "count"'),
    (body(scaling={"scalingMode": "SOMEHOW"}), "SOMEHOW"),
    (body(labels={"Upper": "x"}), "Upper"),
    (body(labels={"a": "B"}), "lowercase"),
    (body(launchStage="SOON"), "SOON"),
    (body(timeout="10s"), 'Unknown name "timeout"'),
    ({"template": {"containers": [{"command": ["run"]}]}}, "image is required"),
    (container(command="run"), "list of strings"),
    (container(restartPolicy="NEVER"), "restartPolicy"),
    (container(env=[{"name": "A"}, {"name": "A"}]), "twice"),
    (container(env=[{"name": "CLOUD_RUN_WORKER_POOL", "value": "x"}]), "reserved"),
    (container(env=[{"name": "A", "value": "x" * 32769}]), "32768"),
    (container(env=[{"name": "A", "valueSource": {}}]), "secret"),
])  # fmt: skip
def test_an_impossible_configuration_is_refused_by_name(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        new_config(wrong)


def test_a_mask_changes_what_it_names_and_nothing_else() -> None:
    current = new_config(body(labels={"a": "b"}, scaling={"manualInstanceCount": 3}))
    message = {"labels": {"c": "d"}, "scaling": {"manualInstanceCount": 0}, "template": {"containers": []}}
    for path in ("scaling.manualInstanceCount", "scaling.manual_instance_count"):
        after = patched_config(current, message, [path])
        assert after == {**current, "scaling": {"scalingMode": "MANUAL", "manualInstanceCount": 0}}
    assert patched_config(current, message, ["labels"])["labels"] == {"c": "d"}
    assert "labels" not in patched_config(current, {}, ["labels"])
    assert patched_config(current, {"uid": "other"}, ["uid"]) == current


def test_only_scaling_makes_no_revision() -> None:
    before = new_config(body(scaling={"manualInstanceCount": 3}))
    assert not needs_revision(before, new_config(body(scaling={"manualInstanceCount": 4})))
    assert needs_revision(before, new_config(body(description="new", scaling={"manualInstanceCount": 3})))


def test_the_quota_refuses_what_is_above_the_minutes_limit() -> None:
    quota = WriteQuota(project_number="123", writes_per_minute=2)
    quota.take(0.0)
    quota.take(30.0)
    with pytest.raises(ResourceExhaustedError, match="Write requests per minute per region") as refusal:
        quota.take(59.9)
    detail = refusal.value.body()["error"]["details"][0]
    assert detail["reason"] == "RATE_LIMIT_EXCEEDED"
    assert detail["metadata"]["quota_limit_value"] == "2"
    quota.take(60.0)


def test_an_error_has_googles_form() -> None:
    error: GoogleError = InvalidArgumentError.of_field("a.b", "wrong")
    assert error.body() == {
        "error": {
            "code": 400,
            "message": "Violation in a.b: wrong",
            "status": "INVALID_ARGUMENT",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [{"field": "a.b", "description": "wrong"}],
                }
            ],
        }
    }


def test_enums_become_numbers_but_never_the_customers_own_words() -> None:
    document = {
        "launchStage": "GA",
        "terminalCondition": {"type": "Ready", "state": "CONDITION_FAILED"},
        "labels": {"state": "CONDITION_FAILED"},
    }
    assert with_numeric_enums(document) == {
        "launchStage": 4,
        "terminalCondition": {"type": "Ready", "state": 3},
        "labels": {"state": "CONDITION_FAILED"},
    }


def test_timestamps_and_page_tokens() -> None:
    assert timestamp(0.25) == "1970-01-01T00:00:00.250000Z"
    assert page_offset("") == 0
    assert page_offset(page_token(20)) == 20
    for foreign in ("x", "MTI=", "b2Zmc2V0OngK"):
        with pytest.raises(InvalidArgumentError):
            page_offset(foreign)


def test_a_process_gets_its_template_its_names_and_little_else() -> None:
    template = container(
        command=["run"],
        args=["--fast"],
        workingDir="/srv",
        env=[
            {"name": "GIVEN", "value": "1"},
            {
                "name": "KEY",
                "valueSource": {"secretKeyRef": {"secret": "projects/q/secrets/key", "version": "2"}},
            },
        ],
    )["template"]
    plan = process_plan(
        template,
        project="p",
        worker_pool="cell",
        revision="cell-00001-abc",
        instance="00ab",
        metadata_host="127.0.0.1:1",
        inherited={"PATH": "/bin", "AWS_SECRET": "no"},
        secret_value=lambda *reference: "/".join(reference),
    )
    assert plan.command == ("run", "--fast")
    assert plan.working_directory == "/srv"
    assert plan.environment == {
        "PATH": "/bin",
        "GIVEN": "1",
        "KEY": "q/key/2",
        "CLOUD_RUN_WORKER_POOL": "cell",
        "CLOUD_RUN_WORKER_POOL_REVISION": "cell-00001-abc",
        "GCE_METADATA_HOST": "127.0.0.1:1",
        "GCE_METADATA_IP": "127.0.0.1:1",
        "EMULATOR_INSTANCE": "00ab",
    }


def test_sidecars_are_said_to_be_missing_here() -> None:
    template = {"containers": [{"image": "i", "command": ["run"]}, {"image": "j"}]}
    obstacle = obstacle_to_launch(template, project="p", secret_exists=lambda *_: True)
    assert obstacle is not None
    assert "sidecars" in obstacle


class FixedTokens:
    def identity_token(self, *, email: str, audience: str, with_email: bool) -> str:
        return f"{email} for {audience} {'full' if with_email else 'short'}"

    def access_token(self, *, email: str) -> str:
        return f"access of {email}"


def asked(target: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> Reply:
    given = {"metadata-flavor": "Google"} if headers is None else headers
    return metadata_reply(method=method, target=target, headers=given, facts=FACTS, tokens=FixedTokens())


@pytest.mark.parametrize(("path", "text"), [
    ("instance/id", "00ab"),
    ("instance/region", "projects/123/regions/r"),
    ("instance/zone", "projects/123/zones/r-1"),
    ("project/project-id", "p"),
    ("project/numeric-project-id", "123"),
    ("instance/service-accounts/", "default/\na@example.com/\n"),
    ("instance/service-accounts/default/email", "a@example.com"),
    ("instance/service-accounts/a@example.com/email", "a@example.com"),
    ("instance/service-accounts/default/aliases", "default\n"),
    ("instance/service-accounts/default/scopes", "https://www.googleapis.com/auth/cloud-platform\n"),
    ("instance/service-accounts/default/identity?audience=x&format=full", "a@example.com for x full"),
    ("instance/service-accounts/default/identity?audience=x", "a@example.com for x short"),
])  # fmt: skip
def test_the_metadata_server_knows_its_instance(path: str, text: str) -> None:
    reply = asked(f"/computeMetadata/v1/{path}")
    assert (reply.status, reply.body) == (200, text)


@pytest.mark.parametrize(("target", "headers", "status"), [
    ("/computeMetadata/v1/instance/id", {}, 403),
    ("/computeMetadata/v1/instance/id", {"metadata-flavor": "google"}, 403),
    ("/computeMetadata/v1/instance/id", {"metadata-flavor": "Google", "x-forwarded-for": "1.2.3.4"}, 403),
    ("/computeMetadata/v1/instance/name", None, 404),
    ("/computeMetadata/v1/instance/service-accounts/other@example.com/token", None, 404),
    ("/computeMetadata/v1/instance/service-accounts/default/identity", None, 400),
    ("/other", None, 404),
    ("/", {}, 200),
])  # fmt: skip
def test_the_metadata_server_refuses(target: str, headers: dict[str, str] | None, status: int) -> None:
    assert asked(target, headers=headers).status == status


def test_the_metadata_server_is_for_reading() -> None:
    assert asked("/computeMetadata/v1/instance/id", method="POST").status == 405


def test_of_two_writers_of_one_generation_one_wins() -> None:
    store = ObjectStore()
    store.create_bucket("b")

    def write(data: bytes, generation: int) -> int:
        conditions = Preconditions(generation_match=generation)
        written = store.write("b", "o", data, content_type="text/plain", preconditions=conditions, now=1.0)
        return written.generation

    first = write(b"1", 0)
    second = write(b"2", first)
    assert second > first
    with pytest.raises(PreconditionFailedError):
        write(b"3", first)
    with pytest.raises(PreconditionFailedError):
        write(b"3", 0)
    assert store.read("b", "o", preconditions=Preconditions()).data == b"2"


def test_the_check_value_of_crc32c() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("memory", "8192Mi", "8Gi"),
        ("memory", "8589934592", "8Gi"),
        ("memory", "1000Mi", "1000Mi"),
        ("memory", "8G", "8G"),
        ("memory", "0", "0"),
        ("cpu", "2000m", "2"),
        ("cpu", "500m", "500m"),
        ("image", "registry:5000/runner", "registry:5000/runner:latest"),
        ("image", "runner:1", "runner:1"),
        ("image", "runner@sha256:0", "runner@sha256:0"),
    ],
)
def test_another_form_has_the_same_meaning(field: str, given: str, kept: str) -> None:
    """Of one container; what was given stays as it was."""
    container: dict[str, Any] = {
        "image": "i:1",
        "env": [{"name": "A", "value": ""}, {"name": "B", "value": "1"}],
    }
    container |= {"image": given} if field == "image" else {"resources": {"limits": {field: given}}}
    (shown,) = in_normal_form({"template": {"containers": [container]}})["template"]["containers"]
    assert shown["env"] == [{"name": "A"}, {"name": "B", "value": "1"}]
    assert (shown["image"] if field == "image" else shown["resources"]["limits"][field]) == kept
    assert container["env"][0] == {"name": "A", "value": ""}
