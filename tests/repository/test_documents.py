"""The pages lead somewhere, keep their size, and agree with the code that they describe."""

import re
from pathlib import Path

import pytest

from runner_pool.main import cli
from simulator.policies import POLICIES
from tests.repository import tree

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
MAKE_TARGET = re.compile(r"`make ([a-z-]+)")
ADR_PARTS = ("## Context", "## Choice", "## Price", "## How we would know that we were wrong")
PAGES = tree.markdown_files()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    missing = []
    for target in LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", target):
            continue  # another site: not ours to check without a network
        name, _, anchor = target.partition("#")
        file = (tree.ROOT / page.parent / name).resolve() if name else tree.ROOT / page
        if not file.exists() or (
            anchor and file.suffix == ".md" and anchor not in _anchors(file.read_text())
        ):
            missing.append(target)
    assert missing == []


def test_the_readme_stays_under_120_lines() -> None:
    assert len(tree.text_of(Path("README.md")).splitlines()) < 120


def test_every_make_target_that_a_page_names_exists() -> None:
    makefile = tree.text_of(Path("Makefile"))
    defined = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {target for page in PAGES for target in MAKE_TARGET.findall(tree.text_of(page))}
    assert named
    assert named <= defined


def test_the_targets_that_others_rely_on_exist_and_are_phony() -> None:
    makefile = tree.text_of(Path("Makefile"))
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    wanted = {"setup", "demo", "test", "test-quick", "test-stories", "test-images", "check"}
    assert wanted <= phony
    assert phony <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    landing = tree.text_of(Path(".ci/run"))
    assert re.findall(r"^make (\S+)$", landing, re.MULTILINE) == [
        "check",
        "test",
        "test-stories",
        "test-images",
    ]


def test_the_page_of_the_command_names_each_verb_and_each_option_of_the_demo() -> None:
    page = tree.text_of(Path("docs/reference/command.md"))
    assert set(re.findall(r"^\| `runner-pool ([a-z-]+)", page, re.MULTILINE)) == set(cli.commands)
    options = {name for option in cli.commands["demo"].params for name in option.opts}
    assert set(re.findall(r"^\| `(--[a-z-]+)", page, re.MULTILINE)) == options


def test_the_page_of_the_simulation_names_each_option_and_each_policy_and_the_guide_no_other() -> None:
    options = {name for option in cli.commands["simulate"].params for name in option.opts}
    page = tree.text_of(Path("docs/reference/simulate.md"))
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `--")]
    assert {name for row in rows for name in re.findall(r"--[a-z-]+", row)} == options
    assert set(
        re.findall(r"^\| `([a-z-]+)` \| .*", page.split("## The policies")[1].split("## ")[0], re.MULTILINE)
    ) == set(POLICIES)
    guide = tree.text_of(Path("docs/how-to/plan-capacity.md"))
    assert set(re.findall(r"--[a-z][a-z-]+", guide)) <= options


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name == "adr"], ids=str)
def test_a_decision_says_context_choice_price_and_what_would_refute_it_on_one_screen(page: Path) -> None:
    text = tree.text_of(page)
    assert [line for line in text.splitlines() if line.startswith("## ")] == list(ADR_PARTS)
    assert int(page.name[:4]) == int(re.match(r"# (\d+)\. ", text)[1])  # type: ignore[index]
    assert len(text.splitlines()) <= 50


def test_every_claim_of_the_emulator_is_assumed_or_names_what_verified_it() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in tree.text_of(Path("docs/reference/fidelity.md")).splitlines()
        if line.startswith("| ") and not line.startswith(("| claim", "| no."))
    ]
    assert len(rows) > 30
    for row in rows:
        state = row[-1]
        tests = re.findall(r"`(tests/[^`]+\.py)`", state)
        if "*verified by*" in state:
            assert tests or "](https://" in state, row
        else:
            assert "*assumed*" in state, row
        for file in tests:
            assert (tree.ROOT / file).exists(), file


def _prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", tree.text_of(page), flags=re.DOTALL)


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
