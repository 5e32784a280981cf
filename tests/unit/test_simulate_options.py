"""What the options of `runner-pool simulate` take, and what is said of the rest."""

from pathlib import Path

import click
import pytest

from runner_pool import main
from runner_pool.errors import UsageError
from runner_pool.simulate_options import Moment, Sizes
from runner_pool.simulate_wishes import MONDAY, Wishes, check, sizes_of
from scaler.core.model import Policy, PoolPolicy
from simulator.assumptions import Assumptions
from simulator.errors import UnknownPolicy
from simulator.generators import GENERATORS
from simulator.policies import POLICIES

TEAM = Wishes(generator="team")
HELP = main.cli.commands["simulate"]
PAIR = Policy(
    pools=tuple(PoolPolicy(name=name, labels=frozenset({name}), max=9) for name in ("linux", "large")),
    max_instances=9,
    settle_seconds=80.0,
)


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The last line that the command says before it ends with 2."""
    with pytest.raises(SystemExit) as ended:
        main.main(["simulate", "--generator", "team", *arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--max-runners", "0"],
            "Error: Invalid value for '--max-runners': 0 is not in the range 1<=x<=10000.",
        ),
        (
            ["--max-runners", "many"],
            "Error: Invalid value for '--max-runners': 'many' is not a valid integer range.",
        ),
        (["--max-cells", "0"], "Error: Invalid value for '--max-cells': 0 is not in the range 1<=x<=10000."),
        (
            ["--writes-per-minute", "0"],
            "Error: Invalid value for '--writes-per-minute': 0 is not in the range 1<=x<=10000.",
        ),
        (
            ["--registrations-per-minute", "-1"],
            "Error: Invalid value for '--registrations-per-minute': -1 is not in the range 1<=x<=10000.",
        ),
        (["--start-s", "nan"], "Error: Invalid value for '--start-s': 'nan' is not a finite number."),
        (
            ["--start-s", "-1"],
            "Error: Invalid value for '--start-s': -1.0 is not in the range 0<=x<=3600.",
        ),
        (
            ["--registration-s", "0"],
            "Error: Invalid value for '--registration-s': 0.0 is not in the range 1<=x<=3600.",
        ),
        (["--restart-s", "inf"], "Error: Invalid value for '--restart-s': 'inf' is not a finite number."),
        (["--warm", "-1"], "Error: Invalid value for '--warm': -1 is not in the range 0<=x<=10000."),
        (["--history", "0"], "Error: Invalid value for '--history': 0.0 is not in the range 0<x<=400."),
        (
            ["--price-of-waiting", "-3"],
            "Error: Invalid value for '--price-of-waiting': -3.0 is not in the range 0<=x<=1000000.",
        ),
        (
            ["--vcpu", "3"],
            "Error: Invalid value for '--vcpu': 3 is not in 1, 2, 4, 6, 8, which Cloud Run gives.",
        ),
        (
            ["--memory-gib", "0"],
            "Error: Invalid value for '--memory-gib': 0.0 is not in the range 0.5<=x<=32.",
        ),
        (
            ["--sizes", "20x0"],
            (
                "Error: Invalid value for '--sizes': '20x0' is no list of cells; write NUMBERxSIZE with commas, such as "
                "20x1,10x5 (at most 10000 cells, each of 1 to 100 instances)."
            ),
        ),
        (
            ["--begins", "monday"],
            "Error: Invalid value for '--begins': 'monday' is no date and time; write it like 2026-11-23T00:00.",
        ),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_value_that_cannot_be_is_told_with_its_range(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(arguments, capsys) == words


def test_the_help_names_every_policy_and_every_generator() -> None:
    told = " ".join(HELP.get_help(click.Context(HELP, terminal_width=200)).split())
    for name in (*POLICIES, *GENERATORS):
        assert name in told


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("20x1,10x5", ("", (1,) * 20 + (5,) * 10)),
        ("5, 2x1", ("", (1, 1, 5))),
        ("linux=3x2", ("linux", (2, 2, 2))),
    ],
)
def test_sizes_are_numbers_of_cells_of_a_size_the_smallest_first(
    text: str, found: tuple[str, tuple[int, ...]]
) -> None:
    assert Sizes().convert(text, None, None) == found


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T00:00", MONDAY),
        ("2026-11-23", MONDAY),
        ("2026-11-23T01:00+01:00", MONDAY),
        ("2026-11-23T09:30", MONDAY + 9.5 * 3600),
    ],
)
def test_a_moment_is_utc_unless_it_says_otherwise(text: str, moment: float) -> None:
    assert Moment().convert(text, None, None) == moment


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        (Wishes(trace=Path("a.csv"), generator="team"), "--trace and --generator name different jobs"),
        (Wishes(trace=Path("a.csv"), trace_seed=2), "--trace-seed is the seed of a generator"),
        (Wishes(trace=Path("a.csv"), save=Path("b.csv")), "--save would copy the file of --trace"),
        (Wishes(generator="team", begins=MONDAY), "--begins is for schedules"),
        (Wishes(generator="team", config_path=Path("c.yaml"), warm=2), "--warm is the pools' own"),
        (Wishes(generator="team", sizes=[("", (1,))], policies=["crema"]), "--sizes are those of policy"),
        (
            Wishes(generator="team", price_of_waiting=3.0, warm=0, policies=["crema"]),
            "--policy, --warm: an advice tries cells, sizes and warm itself",
        ),
        (Wishes(generator="team", price_of_waiting=3.0, begins=0.0), "--begins: an advice"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_wishes_that_contradict_each_other_are_refused(wishes: Wishes, words: str) -> None:
    with pytest.raises(UsageError) as told:
        check(wishes)
    assert told.value.what.startswith(words)
    assert told.value.remedy


def test_an_unknown_policy_is_refused_before_any_work() -> None:
    with pytest.raises(UnknownPolicy):
        check(Wishes(generator="team", policies=["cells", "keda"]))


def test_all_policies_are_each_once_and_cells_alone_without_a_wish() -> None:
    assert Wishes(policies=["crema", "all"]).policy_names() == (
        "crema",
        "cells",
        "one-per-cell",
        "quiescent",
        "google-sample",
    )
    assert TEAM.policy_names() == ("cells",)


def test_what_is_given_replaces_what_is_assumed_and_zero_counts_as_given() -> None:
    found = Wishes(max_runners=7, start_s=0.0, warm=0, seed=0).assumptions(Assumptions(warm=3))
    assert found == Assumptions(max_runners=7, start=0.0, warm=0, seed=0)


def test_more_warm_instances_than_runners_are_refused() -> None:
    with pytest.raises(UsageError, match="--warm 9 is more than the 4 instances there may be"):
        Wishes(max_runners=4, warm=9).assumptions(Assumptions())


def test_the_cells_of_pools_are_found_by_name() -> None:
    both = Wishes(sizes=[("linux", (1, 2)), ("large", (4,))])
    assert sizes_of(both, PAIR) == {"linux": (1, 2), "large": (4,)}
    assert sizes_of(Wishes(sizes=[("", (1, 2))]), None) == {"pool": (1, 2)}
    assert sizes_of(Wishes(), PAIR) == {}


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        (Wishes(sizes=[("", (1,))]), "--sizes does not say whose cells these are"),
        (Wishes(sizes=[("gpu", (1,))]), "--sizes: there is no pool 'gpu'"),
        (Wishes(sizes=[("linux", (1,)), ("linux", (2,))]), "--sizes names the cells of 'linux' twice"),
        (Wishes(sizes=[("linux", (1,))]), "--sizes names no cells of large"),
        (Wishes(sizes=[("linux", (1, 1))], max_cells=1), "--sizes names 2 cells, more than --max-cells 1"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_sizes_that_do_not_fit_the_pools_are_refused(wishes: Wishes, words: str) -> None:
    with pytest.raises(UsageError) as told:
        sizes_of(wishes, PAIR)
    assert told.value.what == words
