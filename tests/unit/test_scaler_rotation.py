"""Which repositories a sweep reads."""

from __future__ import annotations

from collections import Counter

import pytest

from scaler.rotation import IDLE_EVERY_SWEEPS, Rotation

NAMES = [f"acme/r{number:03}" for number in range(90)]


def all_idle(every: int = IDLE_EVERY_SWEEPS) -> Rotation:
    """After the first sweep, which found nothing anywhere."""
    rotation = Rotation(every)
    assert rotation.next_sweep(NAMES) == NAMES
    for name in NAMES:
        rotation.looked(name, idle=True)
    return rotation


def test_the_first_sweep_reads_everything() -> None:
    assert Rotation(IDLE_EVERY_SWEEPS).next_sweep(NAMES) == NAMES


def test_an_idle_repository_is_read_in_every_third_sweep_and_each_sweep_reads_as_many() -> None:
    rotation = all_idle()
    sweeps = [set(rotation.next_sweep(NAMES)) for _ in range(12)]
    assert {len(each) for each in sweeps} == {30}
    for first in range(10):
        assert set.union(*sweeps[first : first + 3]) == set(NAMES)


def test_without_rotation_each_sweep_reads_everything() -> None:
    rotation = all_idle(1)
    assert [rotation.next_sweep(NAMES) for _ in range(3)] == [NAMES] * 3


@pytest.mark.parametrize("active", [1, 10, 90])
def test_one_that_was_not_found_idle_is_read_in_each_sweep_and_first(active: int) -> None:
    rotation = all_idle()
    for name in NAMES[-active:]:
        rotation.looked(name, idle=False)
    for _ in range(5):
        assert rotation.next_sweep(NAMES)[:active] == NAMES[-active:]


def test_one_that_a_signal_named_is_read_in_the_next_sweep_once_more() -> None:
    rotation = all_idle()
    turns: Counter[str] = Counter()
    rotation.named(NAMES[7])
    rotation.named(NAMES[8])
    for _ in range(3):
        turns.update(rotation.next_sweep(NAMES))
    assert turns[NAMES[6]] == 1
    assert turns[NAMES[7]] + turns[NAMES[8]] == 3  # the turn of one of them comes in that very sweep


def test_nobody_is_read_twice_in_a_sweep() -> None:
    rotation = all_idle()
    for name in NAMES:
        rotation.named(name)
    assert sorted(rotation.next_sweep(NAMES)) == NAMES


def test_one_that_comes_or_comes_back_is_read_at_once() -> None:
    rotation = all_idle()
    fewer = NAMES[1:]
    rotation.next_sweep(fewer)
    assert {"acme/new", NAMES[0]} <= set(rotation.next_sweep(["acme/new", *NAMES]))


def test_places_stay_even_while_repositories_come_and_go() -> None:
    rotation = all_idle()
    names = list(NAMES)
    for number in range(60):
        names = [*names[1:], f"acme/new{number}"]
        rotation.next_sweep(names)
        rotation.looked(names[-1], idle=True)
    assert {len(rotation.next_sweep(names)) for _ in range(3)} == {30}
