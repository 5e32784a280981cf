"""The real scaler (`runner-pool serve`) as a child program, with the bench's vendors behind it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml

from bench.loopback_server import served
from bench.stub_vendors import (
    CALLER,
    DEPLOYMENT,
    LABELS,
    ORGANIZATION,
    POOL,
    PROJECT,
    REGION,
    StubVendors,
)

WEBHOOK_SECRET = "bench-webhook-secret"  # noqa: S105 - opens nothing but a bench's scaler
_END_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningScaler:
    """A scaler that answers, and its vendors."""

    url: str
    vendors: StubVendors
    vendors_url: str
    pid: int
    log: Path
    http: httpx.Client = field(repr=False)

    def token(self, email: str | None = None) -> str:
        """An identity token for this scaler: of the cells' account, or of `email`."""
        kind = {} if email is None else {"email": email}
        return self.vendors.identity_token(url=self.vendors_url, audience=self.url, **kind)

    def is_ready(self) -> bool:
        """Whether everything has been read once."""
        return self.http.get(f"{self.url}/readyz", timeout=5.0).is_success

    def tick(self, *, timeout_seconds: float = 120.0) -> None:
        """What cron does: every repository is read, then a decision is made."""
        reply = self.http.post(
            f"{self.url}/tick",
            headers={"Authorization": f"Bearer {self.token(CALLER)}"},
            timeout=timeout_seconds,
        )
        reply.raise_for_status()


@contextmanager
def running_scaler(
    vendors: StubVendors, *, minimum: int, ready_within_seconds: float = 60.0, await_ready: bool = True
) -> Iterator[RunningScaler]:
    """A scaler with one pool of at least `minimum` instances, ready; it looks at GitHub only once unless it is told to.

    `await_ready`: False gives it as soon as it answers at all; `RunningScaler.is_ready` says the rest.
    """
    with tempfile.TemporaryDirectory() as name, served(vendors.app()) as vendors_url:
        folder = Path(name)
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        config = _config_file(folder, vendors, vendors_url=vendors_url, port=port, minimum=minimum)
        log = folder / "scaler.log"
        with log.open("wb") as output, httpx.Client(trust_env=False) as http:
            process = subprocess.Popen(
                [sys.executable, "-m", "runner_pool", "serve", "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            try:
                answers = f"{url}/{'readyz' if await_ready else 'healthz'}"
                _await_ready(http, answers, process, log, within_seconds=ready_within_seconds)
                yield RunningScaler(
                    url=url,
                    vendors=vendors,
                    vendors_url=vendors_url,
                    pid=process.pid,
                    log=log,
                    http=http,
                )
            finally:
                process.terminate()
                try:
                    process.wait(_END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _config_file(folder: Path, vendors: StubVendors, *, vendors_url: str, port: int, minimum: int) -> Path:
    key, webhook = folder / "app.pem", folder / "webhook-secret"
    for path, text in ((key, vendors.app_key), (webhook, WEBHOOK_SECRET)):
        path.touch(mode=0o600)
        path.write_text(text)
    largest = max(1, sum(vendors.cell_sizes))
    document = {
        "deployment": DEPLOYMENT,
        "github": {
            "url": vendors_url,
            "app_id": "Iv1.bench",
            "private_key": f"file:{key}",
            "webhook_secret": f"file:{webhook}",
            "organization": ORGANIZATION,
            # The most that can be configured: a bench has many leases given at once.
            "registrations_per_minute": 300,
        },
        "cloud_run": {
            "project": PROJECT,
            "region": REGION,
            "endpoint": vendors_url,
            "credentials": "anonymous",
            "writes_per_minute": 180,
        },
        "records": f"sqlite:{folder / 'records.db'}",
        "service": {
            "host": "127.0.0.1",
            "port": port,
            "url": f"http://127.0.0.1:{port}",
            "token_keys_url": f"{vendors_url}/certs",
            "token_issuer": vendors_url,
            "callers": [CALLER],
        },
        "max_instances": largest,
        "pools": [{"name": POOL, "labels": list(LABELS), "max": largest, "min": minimum}],
        # A bench says itself when to look; everything else is as in production.
        "times": {"demand_interval": "1h"},
    }
    path = folder / "runner-pool.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def _await_ready(
    http: httpx.Client, url: str, process: "subprocess.Popen[bytes]", log: Path, *, within_seconds: float
) -> None:
    deadline = time.monotonic() + within_seconds
    last = "nothing"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            reply = http.get(url, timeout=5.0)
        except httpx.TransportError as error:
            last = str(error)
        else:
            if reply.is_success:
                return
            last = reply.text
        time.sleep(0.05)
    raise RuntimeError(
        f"the scaler was not ready within {within_seconds:g} s (exit code {process.poll()}); it answered {last}; its "
        f"log ends:\n{os.linesep.join(_last_lines(log))}"
    )


def _last_lines(log: Path) -> Sequence[str]:
    return log.read_text(errors="replace").splitlines()[-12:]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
