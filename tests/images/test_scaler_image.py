"""The scaler's image: serves as an account without rights, and hears SIGTERM as the first process of its container."""

import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from scaler.errors import ConfigError
from tests.images.conftest import Images
from tests.images.image_world import SCALERS_UID, image_world, wait_for_end

pytestmark = pytest.mark.timeout(900)


def test_the_scaler_serves_in_its_container_and_hears_sigterm(images: Images, tmp_path: Path) -> None:
    with image_world(tmp_path / "w", images, sizes=(1,)) as world:
        url = world.pool.forwarder.url

        def answers() -> object:
            try:
                return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
            except httpx.HTTPError as error:
                return repr(error)

        world.wait(answers, seconds=60, what="the scaler is ready")
        assert httpx.get(f"{url}/healthz").json() == {"alive": True}
        (scaler,) = [name for name in images.engine.containers() if not name.startswith("instance-")]
        (line,) = images.engine.podman("top", scaler, "huser", "pid", "capeff", "args").splitlines()[1:]
        user, pid, capabilities, *command = line.split()
        assert (user, pid, capabilities) == (str(SCALERS_UID), "1", "none"), line
        assert "runner-pool" in " ".join(command)
        process = world.pool.scalers[0]
        process.send_signal(signal.SIGTERM)
        assert wait_for_end(process, seconds=10) < 10
        assert process.returncode == 0, world.pool.logs()


def test_a_configuration_that_is_not_mounted_is_said_with_its_exit_code(images: Images) -> None:
    """The image's own arguments name the place where it is expected."""
    done = subprocess.run(
        [*images.engine.run_command(), images.scaler], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == ConfigError.exit_code, done.stderr
    assert "/etc/runner-pool/runner-pool.yaml" in done.stderr
    assert "Traceback" not in done.stderr
