"""The page of the stand-in world names every fault as the catalogues do."""

import re
from pathlib import Path

from emulator.cloud.faults import CATALOGUE as CLOUD
from emulator.faults import AFTER, MOST
from emulator.github.faults import CATALOGUE as GITHUB
from emulator.github.faults import IN_THE_RUNNER
from tests.repository import tree

NAME = re.compile(r"^\| `([a-z0-9-]+)` \|", re.MULTILINE)
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (.*?) \| (.*) \|$", re.MULTILINE)


def faults_on_the_page() -> str:
    return tree.text_of(Path("docs/reference/emulator.md")).partition("## Faults\n")[2]


def test_the_page_names_each_fault_once() -> None:
    assert sorted(NAME.findall(faults_on_the_page())) == sorted([*CLOUD, *GITHUB])


def test_the_page_names_the_faults_that_can_be_aimed() -> None:
    (said,) = re.findall(
        r"`stale-etag=share=1,only=linux-`\); they are (.*?)\.\n", faults_on_the_page(), re.DOTALL
    )
    aimed = {fault.value for fault, each in CLOUD.items() if each.aimed}
    assert set(re.findall(r"`([a-z-]+)`", said)) == aimed


def test_the_page_says_of_each_fault_what_the_catalogue_says() -> None:
    """But for those of the runner, of which the page tells more: what the runner makes of them."""
    listed = {
        name: (parameters, sentence) for name, parameters, sentence in ROW.findall(faults_on_the_page())
    }
    for fault, one in (*CLOUD.items(), *GITHUB.items()):
        if fault not in IN_THE_RUNNER:
            own = [f"`{each.name}` {each.default:g}" for each in one.parameters if each not in (AFTER, MOST)]
            assert listed[fault.value] == (", ".join(own), one.sentence)
