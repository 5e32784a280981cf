"""The scaler's configuration in a demo: the same file that an admin writes, for a stand-in world.

I write files into the demo's own folder, with the secrets in files of their own that only this account may
read. I decide nothing that the scaler decides.
"""

import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from runner_pool.control_door import Announcement, App

DEPLOYMENT = "demo"
POOL = "linux"
# What a person who watches can wait for; everything else is as in production.
_IMPATIENCE = {"linger": "2s", "listen_max": "10s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalerConfiguration:
    """Where the scaler's file stands, where it will listen, and the webhook's secret."""

    path: Path
    url: str
    records: str
    webhook_secret: str = field(repr=False)


def write_configuration(
    *, folder: Path, announcement: Announcement, app: App, labels: Sequence[str], max_instances: int
) -> ScalerConfiguration:
    """Write the scaler's configuration for one pool of `labels` into `folder`."""
    webhook_secret = secrets.token_urlsafe(32)
    key_file = _secret_file(folder / "app-key.pem", app.private_key)
    webhook_file = _secret_file(folder / "webhook-secret", webhook_secret)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    records = f"sqlite:{folder / 'records.db'}"
    document = {
        "deployment": DEPLOYMENT,
        "github": {
            "url": announcement.github_api_url,
            "app_id": app.client_id,
            "private_key": f"file:{key_file}",
            "webhook_secret": f"file:{webhook_file}",
            "organization": app.organization,
        },
        "cloud_run": {
            "project": announcement.project,
            "region": announcement.region,
            "endpoint": announcement.cloud_url,
            "credentials": "anonymous",
            # Google documents 180 a minute for a region; a burst on a new project has less.
            "writes_per_minute": 180,
        },
        "records": records,
        "service": {
            "host": "127.0.0.1",
            "port": port,
            "url": url,
            "token_keys_url": f"{announcement.cloud_url}/oauth2/v3/certs",
            "token_issuer": announcement.cloud_url,
        },
        "max_instances": max_instances,
        "pools": [{"name": POOL, "labels": list(labels), "max": max_instances, **_IMPATIENCE}],
    }
    path = folder / "runner-pool.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return ScalerConfiguration(path=path, url=url, records=records, webhook_secret=webhook_secret)


def _secret_file(path: Path, secret: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(secret)
    return path


def _free_port() -> int:
    """Return a port that was free a moment ago: the cells' templates name it before the scaler starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
