"""What is wished of a worker pool, and the field that makes it so: what is named changes, and all else stays."""

from __future__ import annotations

from typing import Any

import pytest

from scaler.rollout.quantities import same_amount
from scaler.rollout.steps import SetField
from scaler.rollout.template import SizeWish, TemplateWish
from tests.rollout_world import doc

TEMPLATE: dict[str, Any] = {
    "revision": "linux-00007-abc",
    "serviceAccount": "cells@p.iam.gserviceaccount.com",
    "sandboxes": {"x": 1},
    "containers": [
        {
            "image": "old",
            "env": [
                {"name": "RUNNER_POOL_CELL_SECRET", "value": "hunter2"},
                {"name": "A", "value": "1"},
                {"name": "B", "valueSource": {"secretKeyRef": {"secret": "s"}}},
            ],
            "resources": {"limits": {"cpu": "2", "memory": "4Gi"}, "startupCpuBoost": True},
            "volumeMounts": [{"name": "w"}],
        },
        {"image": "sidecar"},
    ],
}


def written(**wish: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The template and its first container, as a wish writes them."""
    template = TemplateWish(**wish).value("a", {"template": TEMPLATE})
    return template, template["containers"][0]


def test_a_wish_changes_what_it_names_and_keeps_all_else() -> None:
    """Unknown fields, the order of variables, other containers; the revision's name is left to Cloud Run."""
    template, first = written(image="new", env={"A": "2", "C": "3"}, unset_env=frozenset({"B"}), memory="8Gi")
    assert template == {
        **{name: value for name, value in TEMPLATE.items() if name != "revision"},
        "containers": [first, {"image": "sidecar"}],
    }
    assert first == {
        **TEMPLATE["containers"][0],
        "image": "new",
        "env": [
            {"name": "RUNNER_POOL_CELL_SECRET", "value": "hunter2"},
            {"name": "A", "value": "2"},
            {"name": "C", "value": "3"},
        ],
        "resources": {"limits": {"cpu": "2", "memory": "8Gi"}, "startupCpuBoost": True},
    }


def test_a_reference_is_replaced_by_the_value_that_is_wished() -> None:
    """A variable has one or the other."""
    _, first = written(env={"B": "plain"})
    assert first["env"][2] == {"name": "B", "value": "plain"}


@pytest.mark.parametrize(
    ("wish", "met"),
    [
        ({"image": "old"}, True),
        ({"image": "new"}, False),
        ({"env": {"A": "1"}}, True),
        ({"env": {"A": "2"}}, False),
        ({"env": {"B": "1"}}, False),
        ({"unset_env": frozenset({"A"})}, False),
        ({"unset_env": frozenset({"Z"})}, True),
        ({"cpu": "2", "memory": "4Gi"}, True),
        ({"cpu": "4"}, False),
        ({"image": "old", "rotate": lambda: "drawn"}, False),
        ({"image": "old", "rotate": lambda: "drawn", "rotated": {"a"}}, True),
    ],
)
def test_a_template_as_wished_is_not_written_again(wish: dict[str, Any], met: bool) -> None:
    """So a command that is run again changes nothing; only a rotation is seen by whoever made it."""
    assert (not TemplateWish(**wish).differences("a", {"template": TEMPLATE})) is met


def test_what_is_written_is_as_wished_afterwards() -> None:
    """Otherwise a rollout would never end."""
    wish = TemplateWish(
        image="new", env={"A": "2", "C": "3"}, unset_env=frozenset({"B"}), cpu="4", memory="8Gi"
    )
    for template in (TEMPLATE, {"containers": [{"image": "old"}]}):
        assert wish.differences("a", {"template": wish.value("a", {"template": template})}) == ()


@pytest.mark.parametrize(
    "wish",
    [
        {"env": {"FLAG": ""}},
        {"cpu": "2000m"},
        {"cpu": "2.0"},
        {"memory": "8192Mi"},
        {"memory": "8Gi"},
        {"image": "old", "cpu": "2", "memory": "8388608Ki", "env": {"FLAG": "", "A": "1"}},
    ],
)
def test_a_value_that_is_shown_in_another_form_is_as_wished(wish: dict[str, Any]) -> None:
    """Protobuf leaves an empty text out, and a quantity has many texts; a rollout that takes them for others never ends."""
    first = {
        "image": "old",
        "env": [{"name": "FLAG"}, {"name": "A", "value": "1"}],
        "resources": {"limits": {"cpu": "2", "memory": "8589934592"}},
    }
    assert TemplateWish(**wish).differences("a", {"template": {"containers": [first]}}) == ()


def test_what_differs_is_told_by_its_name_and_no_variable_by_its_value() -> None:
    """Whoever reads the message may not be whoever may read the template."""
    wish = TemplateWish(
        image="new", env={"A": "hunter3", "Z": "hunter4"}, unset_env=frozenset({"B"}), cpu="4", memory="8Gi"
    )
    told = wish.differences("a", {"template": TEMPLATE})
    assert told == (
        "image is old, not new",
        "cpu is 2, not 4",
        "memory is 4Gi, not 8Gi",
        "variable A has another value",
        "variable Z is not there",
        "variable B is still there",
    )
    assert "memory is not set, not 8Gi" in wish.differences("a", {"template": {}})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("8192Mi", "8Gi", True),
        ("8Gi", "8G", False),
        ("1500m", "1.5", True),
        ("2000m", "2", True),
        ("1k", "1000", True),
        ("as it is", "as it is", True),
        ("much", "more", False),
        ("", "0", False),
    ],
)
def test_amounts_are_compared_as_numbers(one: str, other: str, same: bool) -> None:
    """What is no quantity is compared as it stands."""
    assert (same_amount(one, other), same_amount(other, one)) == (same, same)


def test_each_cell_gets_a_secret_of_its_own_and_no_wish_shows_one() -> None:
    """A secret in a log would be everybody's."""
    drawn = iter(["one", "two"])
    wish = TemplateWish(rotate=lambda: next(drawn), env={"TOKEN": "shown-nowhere"})
    secrets = [
        wish.value(cell, {"template": TEMPLATE})["containers"][0]["env"][0]["value"] for cell in ("a", "b")
    ]
    assert secrets == ["one", "two"]
    assert "shown-nowhere" not in repr(wish)
    assert "hunter2" not in repr(SetField(of=doc(), name="template", value=TEMPLATE))
    assert "hunter2" not in repr(doc(template=TEMPLATE))


def test_a_size_is_a_label_and_the_other_labels_stay() -> None:
    """They say whose the cell is."""
    wish = SizeWish(sizes={"a": 8})
    labels = {"runner-pool-size": "2", "team": "x"}
    assert wish.value("a", {"labels": labels}) == {"runner-pool-size": "8", "team": "x"}
    assert wish.differences("a", {"labels": labels}) == ("label runner-pool-size is 2, not 8",)
    assert wish.differences("a", {"labels": {"runner-pool-size": "8"}}) == ()
