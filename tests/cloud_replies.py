"""Cloud Run's replies for tests of our client: a worker pool's JSON and a server on loopback that answers as told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PARENT = "projects/my-project/locations/us-central1"


def pool_json(pool_id: str = "linux-a1", **changes: Any) -> dict[str, Any]:
    return {
        "name": f"{PARENT}/workerPools/{pool_id}",
        "uid": f"uid-of-{pool_id}",
        "generation": "7",
        "observedGeneration": "7",
        "etag": '"etag-7"',
        "labels": {"runner-pool-pool": "linux"},
        "lastModifier": "scaler@my-project.iam.gserviceaccount.com",
        "scaling": {"manualInstanceCount": 2, "scalingMode": "MANUAL"},
        "template": {
            "serviceAccount": "cell@my-project.iam.gserviceaccount.com",
            "containers": [
                {
                    "image": "runner",
                    "env": [
                        {"name": "RUNNER_POOL_CELL_SECRET", "value": "hunter2"},
                        {"name": "RUNNER_POOL_SCALER_URL", "value": "https://scaler.example.com"},
                        {"name": "LATER", "valueSource": {"secretKeyRef": {"secret": "s", "version": "1"}}},
                    ],
                }
            ],
        },
        "terminalCondition": {"type": "Ready", "state": "CONDITION_SUCCEEDED"},
        **changes,
    }


def error_json(code: int, status: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "status": status, "message": message}}


@dataclass
class Sent:
    """One request as it came."""

    method: str
    path: str
    body: Any


@dataclass
class Answers:
    """`replies` are given in turn (status, JSON); None ends the connection without a word."""

    url: str = ""
    replies: list[tuple[int, Any] | None] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)


@contextmanager
def answering_server() -> Iterator[Answers]:
    """A server on loopback; asking for more replies than there are gets 599, which no test expects."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answers.sent.append(Sent(self.command, self.path, json.loads(body) if body else None))
            reply = answers.replies.pop(0) if answers.replies else (599, {})
            if reply is None:
                self.close_connection = True
                return
            content = json.dumps(reply[1]).encode()
            self.send_response(reply[0])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_PATCH(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    answers.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
