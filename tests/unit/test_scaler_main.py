"""What the verbs compute by themselves: readiness, and the policy of a configuration."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from scaler import main
from scaler.assembly import Parts, policy_of, terms_of
from scaler.loop import Loop
from tests.config_text import SMALLEST, config_from, replaced
from tests.factories import NOW, demand


@pytest.mark.parametrize(
    ("store_answers", "read_at", "complete", "missing"),
    [
        (False, None, False, "records"),
        (False, NOW, True, "records"),
        (True, None, True, "Cloud Run"),
        (True, NOW, False, "GitHub"),
        (True, 0.0, True, None),
    ],
)
def test_a_scaler_is_ready_once_it_has_read_everything(
    store_answers: bool, read_at: float | None, complete: bool, missing: str | None
) -> None:
    parts = SimpleNamespace(
        directory=SimpleNamespace(read_at=read_at),
        demand=SimpleNamespace(seen=lambda: demand(complete=complete)),
    )
    loop = SimpleNamespace(store_answers=store_answers)
    why = main._why_not_ready(cast("Parts", parts), cast("Loop", loop))
    assert why is None if missing is None else missing in (why or "")


def test_labels_are_compared_in_lower_case_and_registered_as_written(tmp_path: Path) -> None:
    """GitHub ignores their case and shows them as the admin wrote them."""
    config = config_from(tmp_path, replaced("[self-hosted, linux]", "[Self-Hosted, GPU]"))
    (pool,) = policy_of(config).pools
    assert pool.labels == {"self-hosted", "gpu"}
    assert terms_of(config.pools[0]).shape.labels == ("Self-Hosted", "GPU")


def test_every_number_of_a_pool_reaches_the_decision(tmp_path: Path) -> None:
    text = (
        SMALLEST + "    min: 1\n    warm: 2\n    priority: 5\n    linger: 7s\n    public_repositories: true\n"
    )
    (pool,) = policy_of(config_from(tmp_path, text)).pools
    assert (pool.name, pool.min, pool.max, pool.warm, pool.priority) == ("linux", 1, 3, 2, 5)
    assert (pool.linger_seconds, pool.public_repositories) == (7.0, True)


def test_a_lease_is_given_under_the_terms_of_its_pool(tmp_path: Path) -> None:
    text = SMALLEST + "    runner_group: 4\n    listen_max: 2m\n    job_timeout: 1h\n"
    terms = terms_of(config_from(tmp_path, text).pools[0])
    assert (terms.pool, terms.shape.runner_group_id) == ("linux", 4)
    assert (terms.listen_max_seconds, terms.job_timeout_seconds) == (120.0, 3600.0)
