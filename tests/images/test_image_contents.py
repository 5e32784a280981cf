"""What is in the images, and what is not."""

import json
from typing import Any

import pytest

from tests.images.bases import RUNNER_BASE
from tests.images.conftest import Images

pytestmark = pytest.mark.timeout(900)


def configuration(images: Images, image: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(images.engine.podman("image", "inspect", image))[0]["Config"]
    return found


def said(images: Images, image: str, script: str, *options: str) -> str:
    """What a shell in the image prints."""
    command = [
        *options,
        "--rm",
        "--pull=never",
        "--network=host",
        "--entrypoint=/bin/sh",
        image,
        "-c",
        script,
    ]
    return images.engine.podman("run", *command).strip()


def test_the_agent_is_the_entry_point_and_finds_modules_only_where_root_alone_can_write(
    images: Images,
) -> None:
    entry = configuration(images, images.runner)
    assert entry["Entrypoint"] == ["/usr/bin/python3", "-I", "-B", "-u", "/opt/runner-pool"]
    script = "import sys; print([p for p in sys.path if p])"
    paths = said(images, images.runner, f"cd /home/runner && python3 -I -c '{script}'")
    assert "home" not in paths
    assert not [name for name in entry["Env"] if name.startswith("PYTHON")], (
        "the runner's steps would inherit it"
    )


def test_no_program_of_the_runners_image_gives_its_caller_other_rights(images: Images) -> None:
    script = "find / -xdev -type f -perm /6000"
    assert said(images, images.runner, script) == ""
    in_the_base = said(images, RUNNER_BASE, script, "--user=root")
    assert "/usr/bin/sudo" in in_the_base.split(), "or else this test could not fail"


def test_the_runners_account_can_read_nothing_of_the_agent(images: Images) -> None:
    script = "id -un; ls /opt/runner-pool 2>&1; cat /opt/runner-pool/runner_agent/main.py 2>&1 | head -3"
    seen = said(images, images.runner, script, "--user=runner")
    assert seen.startswith("runner\n")
    assert seen.count("Permission denied") == 2, seen


def test_the_runners_account_owns_its_work_folder_and_may_not_write_outside_its_home(images: Images) -> None:
    script = "touch _work/mine && find / -xdev -type d -writable -not -path '/proc/*' 2>/dev/null; true"
    seen = said(images, images.runner, script, "--user=runner", "--workdir=/home/runner").split()
    outside = [path for path in seen if not path.startswith("/home/runner")]
    assert set(outside) <= {"/tmp", "/var/tmp", "/run/lock", "/dev/shm", "/dev/mqueue"}, outside


def test_the_scaler_is_another_account_and_may_not_write_to_its_program(images: Images) -> None:
    assert configuration(images, images.scaler)["User"] == "scaler"
    script = "id -u; find /opt /etc /usr -xdev -writable -not -type l 2>/dev/null | head -5"
    assert said(images, images.scaler, script) == "1001"


def test_the_scalers_image_has_its_packages_and_no_tool(images: Images) -> None:
    script = "runner-pool version; ls /opt/runner-pool/bin /opt/runner-pool/lib/python3*/site-packages"
    seen = said(images, images.scaler, script)
    assert seen.startswith("runner-pool 0.")
    for package in ("starlette", "uvicorn", "google", "structlog"):
        assert f"\n{package}\n" in seen, package
    for tool in ("pytest", "mypy", "ruff", "hypothesis", "numpy", "hatchling", "pip"):
        assert f"\n{tool}\n" not in seen, tool


def test_nothing_of_the_machine_that_built_them_is_in_the_images(images: Images) -> None:
    """Settings of pip are mounted for a build; their place is empty or missing afterwards."""
    script = "cat /etc/pip.conf; ls -A /tmp /root/.cache; true"
    for image in (images.runner, images.scaler):
        lines = said(images, image, script, "--user=root").splitlines()
        assert [line for line in lines if line not in ("/tmp:", "/root/.cache:", "")] == []
        assert "PIP" not in json.dumps(configuration(images, image))
