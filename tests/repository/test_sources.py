"""Size, names, docstrings and import contracts of the code; what must not stand in any file."""

import ast
import re
import statistics
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from runner_pool.demo import workflow_files
from tests.repository import tree

LARGEST = 350
LARGEST_MEDIAN = 150
VENDORS_NAMES = {"secret_manager"}
VAGUE_NAMES = {"utils", "helpers", "common", "manager", "base", "misc"}
# In pieces, so that this file does not contain what it looks for.
FORBIDDEN = {
    "a package index": re.compile(
        "|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "registry.npm" + r"js\.org"))
    ),
    "an index option": re.compile("--(extra-)?ind" + "ex-url|--find-lin" + "ks (http|/)"),
    "a path of one machine": re.compile(
        "/wo" + r"rk/(main|shared|\.)|/home/" + r"(?!runner\b)[a-z]+/|/Use" + "rs/"
    ),
    "the way it was made": re.compile(r"\b(Cla" + r"ude|Chat" + r"GPT|LL" + r"M|AI-gene" + r"rated)\b"),
}


def reason_for_length(source: str) -> bool:
    """Tell whether a file says, above its first import, why it is long ("… lines, because …")."""
    head = re.split(r"^(?:from|import) ", source, maxsplit=1, flags=re.MULTILINE)[0]
    return re.search(r"\b(long|lines|one file|one page)\b.*\bbecause\b", head, re.DOTALL) is not None


@pytest.mark.parametrize("path", tree.python_files(), ids=str)
def test_a_python_file_says_what_it_is_for_and_keeps_its_size(path: Path) -> None:
    source = tree.text_of(path)
    assert ast.get_docstring(ast.parse(source)), "a module docstring is missing"
    lines = len(source.splitlines())
    assert lines <= LARGEST or reason_for_length(source), f"{lines} lines and no reason at the top"


def test_half_of_the_files_are_small() -> None:
    sizes = [
        len(tree.text_of(path).splitlines()) for path in tree.python_files() if path.name != "__init__.py"
    ]
    assert statistics.median(sizes) <= LARGEST_MEDIAN


def test_no_file_and_no_folder_has_a_name_that_says_nothing() -> None:
    parts = {part.removesuffix(".py") for path in tree.python_files() for part in path.parts}
    vague = {name for name in parts - VENDORS_NAMES if VAGUE_NAMES & set(name.split("_"))}
    assert vague == set()


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_contains(what: str) -> None:
    found = [
        f"{path}:{text.count(chr(10), 0, hit.start()) + 1}: {hit.group()}"
        for path in tree.files()
        for text in (tree.text_of(path),)
        for hit in FORBIDDEN[what].finditer(text)
    ]
    assert found == []


def test_the_import_contracts_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree.ROOT)
    assert lint_imports(no_cache=True, no_logo=True) == 0


def test_the_lock_pins_and_hashes_each_dependency_and_names_no_index() -> None:
    lock = tree.text_of(Path("requirements.lock"))
    requirements = re.split(r"\n(?=\S)", lock.strip())
    assert len(requirements) > 30
    for requirement in requirements:
        assert re.match(r"[a-z0-9][a-z0-9._\[\]-]*==\S+", requirement), requirement.splitlines()[0]
        assert "--hash=sha256:" in requirement, requirement.splitlines()[0]
    assert "://" not in lock


@pytest.mark.parametrize(
    ("name", "least"),
    [("requirements-run.lock", 20), ("requirements-build.lock", 3), ("requirements-direct.lock", 10)],
)
def test_the_locks_of_the_images_are_parts_of_the_lock_that_is_tested(name: str, least: int) -> None:
    """The same versions under the same conditions with the same hashes, and no index."""

    def locked(file: str) -> set[str]:
        text = tree.text_of(Path(file))
        assert "://" not in text
        return set(re.split(r"\n(?=\S)", text.strip()))

    part = locked(name)
    assert len(part) >= least
    assert part <= locked("requirements.lock")


def locked_names(file: str) -> set[str]:
    """The packages of a lock."""
    return set(re.findall(r"^([a-z0-9._-]+)==", tree.text_of(Path(file)), re.MULTILINE))


def test_the_scalers_image_gets_what_the_package_needs_and_no_tool_of_development() -> None:
    project = tomllib.loads(tree.text_of(Path("pyproject.toml")))
    needed = {re.split(r"[^a-z0-9-]", each)[0] for each in project["project"]["dependencies"]}
    assert needed <= locked_names("requirements-run.lock")
    assert locked_names("requirements-run.lock").isdisjoint(
        {"pytest", "mypy", "ruff", "hypothesis", "matplotlib", "numpy"}
    )
    assert "hatchling" in locked_names("requirements-build.lock")


def test_the_image_for_direct_mode_gets_a_part_of_what_the_scaler_has() -> None:
    """The same limits as the package's own, and nothing that only the scaler imports."""
    project = tomllib.loads(tree.text_of(Path("pyproject.toml")))
    assert set(project["dependency-groups"]["direct"]) <= set(project["project"]["dependencies"])
    assert locked_names("requirements-direct.lock") < locked_names("requirements-run.lock")
    assert locked_names("requirements-direct.lock").isdisjoint({"grpcio", "pydantic", "starlette", "uvicorn"})


def test_every_direct_dependency_is_locked() -> None:
    locked = set(re.findall(r"^([a-z0-9._-]+)", tree.text_of(Path("requirements.lock")), re.MULTILINE))
    project = tomllib.loads(tree.text_of(Path("pyproject.toml")))
    named = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    wanted = {re.split(r"[^a-z0-9-]", each)[0] for each in named}
    assert len(wanted) > 10
    assert wanted <= locked


def test_each_image_holds_the_packages_that_its_program_imports() -> None:
    listed = re.search(r"^packages = (.*)$", tree.text_of(Path("pyproject.toml")), re.MULTILINE)
    assert listed is not None
    packages = set(re.findall(r'"([a-z_]+)"', listed[1]))

    def copied(text: str) -> set[str]:
        return set(re.findall(r"^COPY ([a-z_]+) ", text, re.MULTILINE))

    assert copied(tree.text_of(Path("Dockerfile.scaler"))) == packages
    stages = re.split(r"^(?=FROM )", tree.text_of(Path("Dockerfile.runner")), flags=re.MULTILINE)[1:]
    leased, imports, direct, default = stages
    assert copied(leased) == {"runner_agent"}
    assert copied(imports) == {"cell_records", "github_api"}
    assert direct.startswith("FROM leased AS direct\n")
    assert default == "FROM leased\n", "without a target nothing is added to the image for leased mode"


def test_the_job_of_our_own_pipeline_that_the_demo_can_run_is_there() -> None:
    files = workflow_files.files_at(tree.ROOT / ".github" / "workflows" / "ci.yml")
    plan = workflow_files.plan_of(
        workflow_files.triggered_by_push(workflow_files.with_jobs(files, ["quick"]))
    )
    assert plan.jobs == 1


def test_shell_scripts_may_be_started() -> None:
    for name in ("run", "install-image-tools"):
        assert (tree.ROOT / ".ci" / name).stat().st_mode & 0o111, name
