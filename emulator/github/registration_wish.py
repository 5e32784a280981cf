"""The body of generate-jitconfig, checked. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from emulator.github.refusals import RestRefusal

LONGEST_NAME: Final = 64  # https://github.com/actions/runner/pull/1710
MOST_LABELS: Final = 100
REGISTRATION_DOCUMENTATION: Final = (
    "https://docs.github.com/rest/actions/self-hosted-runners"
    "#create-configuration-for-a-just-in-time-runner-for-an-organization"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationWish:
    """What a caller of generate-jitconfig asks for, checked."""

    name: str
    group_id: int
    labels: tuple[str, ...]
    work_folder: str


def registration_wish(body: object) -> RegistrationWish:
    """The body of generate-jitconfig as a checked value. Raises `RestRefusal` 422 as GitHub words it."""
    if not isinstance(body, dict):
        raise _invalid("object is expected")
    for key in ("name", "runner_group_id", "labels"):
        if key not in body:
            raise _invalid(f"object is missing required key: {key}")
    name, group_id, labels = body["name"], body["runner_group_id"], body["labels"]
    work_folder = body.get("work_folder", "_work")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise _invalid(f"name must be a text of 1 to {LONGEST_NAME} characters")
    if isinstance(group_id, bool) or not isinstance(group_id, int):
        raise _invalid("runner_group_id must be an integer")
    if not _is_texts(labels) or not 1 <= len(labels) <= MOST_LABELS:
        raise _invalid(f"labels must be 1 to {MOST_LABELS} texts")
    if not isinstance(work_folder, str):
        raise _invalid("work_folder must be a text")
    return RegistrationWish(name=name, group_id=group_id, labels=tuple(labels), work_folder=work_folder)


def _is_texts(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(isinstance(v, str) and v for v in value)
    )


def _invalid(what: str) -> RestRefusal:
    return RestRefusal(422, f"Invalid input: {what}", documentation_url=REGISTRATION_DOCUMENTATION)
