"""The webhooks of the stand-in GitHub, received on a real socket."""

import hashlib
import hmac
import http.server
import json
import queue
import threading
from collections import Counter
from typing import Any, Self

from emulator.faults import Given
from github_api.errors import SignatureWrong
from github_api.secret import Secret
from github_api.webhook import verified_event
from tests.emulator_github import GitHubServer, Installed, workflow
from tests.github_schema import check_event


def push(installed: Installed, *names: str) -> list[int]:
    """One run with one job for each name; the ids of the jobs."""
    at = installed.server
    run_id = at.push(workflow(*names), repository=f"{installed.organization}/widgets")
    return [job["id"] for job in at.control("GET", "jobs")["jobs"] if job["run_id"] == run_id]


class Hooks:
    """A receiver of webhooks on a socket; answers what `status` says."""

    def __init__(self) -> None:
        self.received: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        self.status = 202
        hooks = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hooks.received.put(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(hooks.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/github"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, count: int) -> list[tuple[dict[str, str], Any]]:
        """The next events: headers and parsed body, after the signature was checked."""
        taken = []
        for _ in range(count):
            headers, body = self.received.get(timeout=20)
            expected = "sha256=" + hmac.new(b"hush", body, hashlib.sha256).hexdigest()
            assert headers["x-hub-signature-256"] == expected
            taken.append((headers, json.loads(body)))
        return taken


def test_each_change_of_a_job_is_told_by_a_signed_webhook() -> None:
    with Hooks() as hooks, GitHubServer(time_factor=0.02) as server:
        installed = server.set_up(webhook_url=hooks.url, webhook_secret="hush")
        [job_id] = push(installed, "build")
        installed.runner("one").run_one_job()
        events = hooks.take(3)
        assert {body["action"] for _, body in events} == {"queued", "in_progress", "completed"}
        for headers, body in events:
            check_event(body["action"], body)
            assert body["workflow_job"]["id"] == job_id
            assert body["repository"]["full_name"] == "acme/widgets"
            assert body["installation"]["id"] == installed.installation_id
            assert headers["content-type"] == "application/json"
            assert headers["x-github-event"] == "workflow_job"
            assert headers["user-agent"].startswith("GitHub-Hookshot/")
            assert headers["x-github-hook-installation-target-id"] == str(installed.app_id)
            assert headers["x-github-hook-installation-target-type"] == "integration"
        assert len({headers["x-github-delivery"] for headers, _ in events}) == 3
        by_action = {body["action"]: body["workflow_job"] for _, body in events}
        assert by_action["queued"]["runner_id"] is None
        assert by_action["in_progress"]["runner_name"] == "one"
        assert by_action["completed"]["conclusion"] == "success"


def test_a_webhook_that_fails_is_not_sent_again() -> None:
    with Hooks() as hooks, GitHubServer(time_factor=0.02) as server:
        hooks.status = 500
        installed = server.set_up(webhook_url=hooks.url, webhook_secret="hush")
        push(installed, "first")
        hooks.take(1)
        hooks.status = 202
        push(installed, "second")
        [(_, body)] = hooks.take(1)
        assert body["workflow_job"]["name"] == "second"
        assert hooks.received.empty()


def test_webhooks_can_be_switched_off_and_nobody_needs_to_listen() -> None:
    with Hooks() as hooks, GitHubServer(time_factor=0.02) as server:
        installed = server.set_up(webhook_url="http://127.0.0.1:9/nobody", webhook_secret="hush")
        push(installed, "lost")
        server.control("PUT", "webhook", {"url": None, "secret": None})
        push(installed, "untold")
        server.control("PUT", "webhook", {"url": hooks.url, "secret": "hush"})
        push(installed, "told")
        [(_, body)] = hooks.take(1)
        assert body["workflow_job"]["name"] == "told"


def test_foreign_and_forged_webhooks_arrive_and_only_the_forged_ones_are_refused() -> None:
    """Our own check tells the forged ones; whose repository it is must be looked at by who acts on it."""
    faults: Given = {
        "webhook-foreign": {"most": 1},
        "webhook-forged": {"most": 1},
        "webhook-doubled": {"seconds": 0.1},
    }
    with Hooks() as hooks, GitHubServer(time_factor=0.02, faults=faults) as server:
        push(server.set_up(webhook_url=hooks.url, webhook_secret="hush"), "build")
        seen: Counter[str | None] = Counter()
        deliveries = set()
        for _ in range(4):
            headers, body = hooks.received.get(timeout=20)
            deliveries.add(headers["x-github-delivery"])
            try:
                event = verified_event(
                    body=body,
                    signature=headers["x-hub-signature-256"],
                    secret=Secret("hush"),
                    event=headers["x-github-event"],
                    delivery=headers["x-github-delivery"],
                )
            except SignatureWrong:
                seen["forged"] += 1
            else:
                seen[event.repository] += 1
        assert seen == {"acme/widgets": 2, "somebody-else/gadgets": 1, "forged": 1}
        assert len(deliveries) == 3
