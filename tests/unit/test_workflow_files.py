"""Workflow files: what is read, and what a mistake is answered with, word for word where people act on it."""

import pytest

from emulator.workflow.errors import UnsupportedError, WorkflowError
from emulator.workflow.run import RunPlan

MINIMAL = "on: push\njobs: {build: {runs-on: x, steps: [{run: echo}]}}\n"


def load(text: str) -> RunPlan:
    """A plan of a file called ci.yml."""
    return RunPlan.load(text, filename="ci.yml")


def problem(text: str) -> str:
    """The message about a file that is refused."""
    with pytest.raises(WorkflowError) as raised:
        load(text)
    return str(raised.value)


def job(lines: str) -> str:
    """A file whose job `build` has these lines besides runs-on and steps (indented by four spaces)."""
    return f"on: push\njobs:\n  build:\n    runs-on: x\n{lines}    steps: [{{run: echo}}]\n"


def step(lines: str) -> str:
    """A file whose one step has these lines (the first after the dash)."""
    body = lines.replace("\n", "\n        ")
    return f"on: push\njobs:\n  build:\n    runs-on: x\n    steps:\n      - {body}\n"


def test_the_name_is_the_file_s_where_none_is_given() -> None:
    """As GitHub shows it."""
    assert load(MINIMAL).name == "ci.yml"
    assert load("name: Build\n" + MINIMAL).name == "Build"


@pytest.mark.parametrize(
    ("on", "event", "ref", "expected"),
    [
        ("push", "push", "refs/heads/main", True),
        ("push", "pull_request", "refs/heads/main", False),
        ("[pull_request, push]", "push", "refs/heads/main", True),
        ("{push: }", "push", "refs/tags/v1", True),
        ("{push: {branches: [main]}}", "push", "refs/heads/main", True),
        ("{push: {branches: [main]}}", "push", "refs/heads/other", False),
        ("{push: {branches: [main]}}", "push", "refs/tags/main", False),
        ("{push: {branches: 'release/*'}}", "push", "refs/heads/release/1", True),
        ("{push: {branches: 'release/*'}}", "push", "refs/heads/release/1/x", False),
        ("{push: {branches: ['**', '!wip/**']}}", "push", "refs/heads/wip/a/b", False),
        ("{push: {branches: ['**', '!wip/**', 'wip/keep']}}", "push", "refs/heads/wip/keep", True),
        ("{push: {branches-ignore: [main]}}", "push", "refs/heads/main", False),
        ("{push: {tags: ['v[0-9]+.x']}}", "push", "refs/tags/v12.x", True),
        ("{push: {tags: ['v*']}}", "push", "refs/heads/main", False),
        ("{push: {tags: ['v*'], branches: [main]}}", "push", "refs/heads/main", True),
        ("{push: {paths: ['src/**']}}", "push", "refs/heads/main", True),
        ("{workflow_dispatch: {inputs: {}}}", "workflow_dispatch", "refs/heads/main", True),
    ],
)
def test_events_and_their_filters_decide_whether_a_run_starts(
    on: str, event: str, ref: str, *, expected: bool
) -> None:
    """`on` is a text key, not the boolean that YAML 1.1 would make of it."""
    assert load(MINIMAL.replace("on: push", f"on: {on}")).triggers(event, ref=ref) is expected


def test_yes_and_off_are_texts_and_numbers_keep_their_meaning() -> None:
    """YAML 1.2: only true and false are booleans; 3.10 is the number 3.1, quotes keep it a text."""
    text = job("    strategy: {matrix: {v: [yes, off, 3.10, '3.10', 0o17, 0x1F, true, ~]}}\n")
    names = [planned.name for planned in load(text).start(github={}, run_id=1).due()]
    assert [name[len("build (") : -1] for name in names[:-1]] == [
        *("yes", "off", "3.1", "3.10", "15", "31", "true"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ci.yml: The file is empty. A workflow has `on:` and `jobs:`."),
        ("on: [push", "ci.yml:1: Not YAML: expected ',' or ']', but got '<stream end>'."),
        ("a:\n\tb: 1", "ci.yml:2: Not YAML: found character '\\t' that cannot start any token."),
        ("on: \x07", "ci.yml: Not YAML: unacceptable character #x0007"),
        ("- a", "ci.yml:1: Expected a mapping, found a list."),
        ("on: push", "ci.yml:1: The key `jobs` is missing."),
        ("on: push\njobs: {}", "ci.yml:2: jobs: The workflow has no jobs."),
        ("on: push\njob: {}", "ci.yml:2: job: Unknown key 'job'. Did you mean 'jobs'?"),
        (MINIMAL + "name: a\nname: b\n", "ci.yml:4: name: 'name' is defined twice. Remove one."),
        ("on: push\njobs: {1a: {}}", "jobs.1a: '1a' is not a job id."),
        ("on: push\njobs: {a: {steps: []}}", "jobs.a: The job has no `runs-on`."),
        (
            job("    stratgy: {}\n"),
            "ci.yml:5: jobs.build.stratgy: Unknown key 'stratgy'. Did you mean 'strategy'?",
        ),
        (job("    needs: other\n"), "jobs.build.needs: There is no job 'other'. Jobs of this file: build."),
        (job("    needs: [build]\n"), "Jobs wait for each other: build needs build."),
        (job("    timeout-minutes: soon\n"), "jobs.build.timeout-minutes: Expected a number, found 'soon'."),
        (job("    continue-on-error: 1\n"), "jobs.build.continue-on-error: Expected true or false, found 1."),
        (
            job("    strategy: {matrix: {a: []}}\n"),
            "jobs.build.strategy.matrix: The matrix vector 'a' has no values.",
        ),
        (
            job("    if: github.x ==\n"),
            "ci.yml:5: jobs.build.if: The expression 'github.x ==' ends too early.",
        ),
        (job("    if: steps.a.outcome\n"), "jobs.build.if: Unrecognized named-value: 'steps'"),
        (
            job("    env: {A: '${{ matrix.os }'}\n"),
            "jobs.build.env.A: The expression that starts with 'matrix.os }'",
        ),
        (job("    env: {A: [1]}\n"), "jobs.build.env.A: Expected a text, found a list."),
        (job("    defaults: {run: {shel: bash}}\n"), "jobs.build.defaults.run.shel: Unknown key 'shel'."),
        (step("run: a\nuses: b/c@d"), "jobs.build.steps[0]: A step has both `run` and `uses`."),
        (step("name: a"), "ci.yml:6: jobs.build.steps[0]: A step needs `run` or `uses`."),
        (step("run: a\nwith: {b: c}"), "ci.yml:7: jobs.build.steps[0].with: Unknown key 'with'."),
        (step("uses: checkout"), "jobs.build.steps[0].uses: 'checkout' does not name an action."),
        (step("run: a\nid: __x"), "jobs.build.steps[0].id: '__x' is not a step id."),
        (
            step("run: a\nid: x\n").rstrip() + "\n      - {run: b, id: X}\n",
            "steps[1].id: The id 'X' is used twice.",
        ),
        (step("run: echo ${{ nope.x }}"), "steps[0].run: Unrecognized named-value: 'nope'"),
        (step("run: a\nif: secrets.A == ''"), "steps[0].if: Unrecognized named-value: 'secrets'"),
        (step("run: a\nif: hashFiles()"), "ci.yml"),
        ("on: {push: {branches: [a], branches-ignore: [b]}}\njobs: {}", "The workflow has no jobs."),
        ("a: &x\n  b: *x\n", "An alias contains itself."),
        ("<<: {on: push}\n", "Merge keys (<<) are not read."),
        ("on: !!python/object:os.system x\n", "The YAML tag"),
    ],
)
def test_a_mistake_is_answered_with_its_place_and_a_remedy(text: str, said: str) -> None:
    """File, line, key path, what is wrong, what to write."""
    if said == "ci.yml":
        load(text)  # how many arguments a function of the runner takes is seen when the step runs
        return
    assert said in problem(text)


def test_jobs_that_wait_for_each_other_are_named_in_order() -> None:
    """The circle, not the whole file."""
    text = "on: push\njobs:\n"
    for name, needs in (("a", "[]"), ("b", "[a, d]"), ("c", "b"), ("d", "c")):
        text += f"  {name}: {{runs-on: x, needs: {needs}, steps: [{{run: echo}}]}}\n"
    assert "Jobs wait for each other: b needs d needs c needs b." in problem(text)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            "    container: python:3.12\n",
            "This platform has no docker: a job cannot bring its own container.",
        ),
        (
            "    services: {db: {image: postgres}}\n",
            "This platform has no docker: a job cannot start service",
        ),
    ],
)
def test_what_needs_docker_is_refused_before_the_run(lines: str, said: str) -> None:
    """Silence would change what the workflow means."""
    with pytest.raises(UnsupportedError) as raised:
        load(job(lines))
    assert said in str(raised.value)
    assert "runner image" in raised.value.remedy


def test_a_reusable_workflow_is_refused() -> None:
    """Before anything about missing steps."""
    text = "on: push\njobs: {build: {uses: acme/widgets/.github/workflows/x.yml@main}}\n"
    with pytest.raises(UnsupportedError, match=r"Reusable workflows are not run here.*no docker"):
        load(text)


def test_keys_without_effect_here_are_accepted() -> None:
    """They change nothing in a stand-in that has no tokens, gates or concurrency groups."""
    load(
        "permissions: {contents: read}\nconcurrency: ci\n"
        + job("    environment: prod\n    concurrency: {group: g}\n")
    )


def test_aliases_are_read_and_cannot_grow_without_bounds() -> None:
    """GitHub reads anchors and aliases, too."""
    text = "on: push\njobs:\n  a: &job {runs-on: x, steps: [{run: echo}]}\n  b: *job\n"
    assert [planned.key for planned in load(text).start(github={}, run_id=1).due()] == ["a", "b"]
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 8):
        aliases = ", ".join([f"*a{level - 1}"] * 10)
        bomb += f"a{level}: &a{level} [{aliases}]\n"
    assert "More than 50000 values." in problem(bomb)
