"""The files for those without Terraform say what the module makes, and gcloud sends them to Google as they are."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from google.api.metric_pb2 import MetricDescriptor
from google.cloud.monitoring_v3 import AlertPolicy
from google.protobuf import json_format
from google.protobuf.json_format import ParseError

from tests.deploy.alert_files import FOLDER, RUN, documents
from tests.deploy.terraform_program import Terraform

METRICS = sorted(FOLDER.glob("metrics/*.json"))
POLICIES = sorted(FOLDER.glob("policies/*.json"))
COMMANDS = {
    "metrics": ("logging", "metrics", "create", "ci-scaler/one", "--config-from-file"),
    "policies": ("alpha", "monitoring", "policies", "create", "--policy-from-file"),
}


class Google(ThreadingHTTPServer):
    """Takes what gcloud sends and gives it back, on loopback."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)
        self.taken: list[dict[str, Any]] = []


class _Echo(BaseHTTPRequestHandler):
    server: Google

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(json.loads(body))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """The test's own output is enough."""


@pytest.fixture
def google() -> Iterator[Google]:
    with Google() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def gcloud(google: Google, scratch: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    address = f"http://127.0.0.1:{google.server_port}/"
    settings = {
        "CLOUDSDK_CONFIG": str(scratch / "config"),
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_MONITORING": address,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING": address,
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_PROJECT": "acme-ci",
    }
    return subprocess.run(
        ["gcloud", *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_files_are_what_the_module_makes(terraform: Terraform) -> None:
    made = documents(terraform.states("modules/scaler")[RUN]["root_module"]["resources"])
    kept = {str(file.relative_to(FOLDER)): file.read_text() for file in (*METRICS, *POLICIES)}
    assert kept == made, "python -m tests.deploy.alert_files writes them anew"


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_googles_client_knows_every_member_and_word_of_a_policy(file: Path) -> None:
    """Members and words that its messages do not have are refused."""
    policy = AlertPolicy.from_json(file.read_text(), ignore_unknown_fields=False)
    assert len(policy.conditions) == len(json.loads(file.read_text())["conditions"])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("EVALUATION_MISSING_DATA_ACTIVE", "EVALUATION_MISSING_DATA_BAD"), ('"duration"', '"lasts"')],
)
def test_a_word_that_google_does_not_have_is_found(right: str, wrong: str) -> None:
    text = (FOLDER / "policies/silent.json").read_text()
    assert right in text
    with pytest.raises(ParseError):
        AlertPolicy.from_json(text.replace(right, wrong), ignore_unknown_fields=False)


@pytest.mark.parametrize("file", METRICS, ids=lambda file: file.stem)
def test_a_metric_is_of_a_kind_that_google_has(file: Path) -> None:
    """A value is extracted into distributions only: https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.metrics"""
    metric = json.loads(file.read_text())
    described = json_format.ParseDict(metric["metricDescriptor"], MetricDescriptor())
    distribution = described.value_type == MetricDescriptor.ValueType.DISTRIBUTION
    assert described.metric_kind == MetricDescriptor.MetricKind.DELTA
    assert ("valueExtractor" in metric) == distribution
    assert {label.key for label in described.labels} == set(metric.get("labelExtractors", {}))


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_a_condition_keeps_the_rules_that_google_states(file: Path) -> None:
    """Whole minutes; missing data counts from one minute on, absence from two.

    https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies#condition
    """
    for condition in AlertPolicy.from_json(file.read_text()).conditions:
        absence = "condition_absent" in condition
        watched = condition.condition_absent if absence else condition.condition_threshold
        lasts = watched.duration.total_seconds()
        assert lasts % 60 == 0
        assert all(step.alignment_period.total_seconds() >= 60 for step in watched.aggregations)
        if absence:
            assert lasts >= 120
        elif watched.evaluation_missing_data:
            assert lasts >= 60


@pytest.mark.skipif(
    shutil.which("gcloud") is None, reason="gcloud is not installed, so it cannot read the files"
)
@pytest.mark.parametrize("file", [METRICS[0], POLICIES[0]], ids=lambda file: file.parent.name)
def test_gcloud_sends_a_file_on_as_it_is(file: Path, google: Google, tmp_path: Path) -> None:
    *command, flag = COMMANDS[file.parent.name]
    done = gcloud(google, tmp_path, *command, f"{flag}={file}")
    assert done.returncode == 0, done.stderr
    (sent,) = google.taken
    sent.pop("name", None)
    assert sent == json.loads(file.read_text())
