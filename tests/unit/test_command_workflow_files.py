"""Which workflows a demo runs, and what it says about them beforehand."""

from pathlib import Path

import pytest

from runner_pool import errors
from runner_pool.demo import workflow_files
from runner_pool.demo.workflow_files import WorkflowFile

CHAIN = WorkflowFile(
    name="chain.yml",
    text="""\
name: chain
on: [push, pull_request]
jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
      - run: echo lint
  # a remark on build
  build:
    needs: lint
    runs-on: [self-hosted, linux]
    strategy:
      matrix:
        part: [1, 2, 3]
    steps:
      - uses: actions/checkout@v4
      - run: |
          echo one
          echo two
  docs:
    runs-on: {group: big, labels: [docs]}
    steps: [{run: "echo docs"}]
""",
)


def test_the_bundled_workflows_are_some_forty_jobs_with_a_failure_and_a_skip() -> None:
    files = workflow_files.bundled_files()
    plan = workflow_files.plan_of(workflow_files.triggered_by_push(files))
    assert len(files) == 4
    assert plan.jobs == 42
    assert set(plan.labels) == {"self-hosted", "linux"}
    text = "".join(file.text for file in files)
    assert "(expected to fail)" in text
    assert "(expected to be skipped)" in text


def test_a_plan_counts_the_matrix_and_gathers_labels_and_groups() -> None:
    plan = workflow_files.plan_of([CHAIN])
    assert plan.jobs == 5
    assert set(plan.labels) == {"ubuntu-latest", "self-hosted", "linux", "docs"}
    assert plan.groups == ("big",)


def test_a_matrix_from_an_earlier_jobs_output_has_no_known_size() -> None:
    text = """\
on: push
jobs:
  first:
    runs-on: a
    outputs: {parts: "${{ steps.s.outputs.parts }}"}
    steps: [{id: s, run: "echo parts=[1] >> $GITHUB_OUTPUT"}]
  second:
    needs: first
    runs-on: a
    strategy: {matrix: {part: "${{ fromJSON(needs.first.outputs.parts) }}"}}
    steps: [{run: "true"}]
"""
    plan = workflow_files.plan_of([WorkflowFile(name="dynamic.yml", text=text)])
    assert plan.jobs is None
    assert plan.labels == ("a",)


def test_choosing_a_job_keeps_what_it_needs_and_leaves_its_text_alone() -> None:
    (chosen,) = workflow_files.with_jobs([CHAIN], ["build"])
    assert workflow_files.plan_of([chosen]).jobs == 4
    assert "docs" not in chosen.text
    assert CHAIN.text.startswith(chosen.text)


@pytest.mark.parametrize("job", ["lint", "docs"])
def test_choosing_a_single_job_leaves_a_readable_file(job: str) -> None:
    (chosen,) = workflow_files.with_jobs([CHAIN], [job])
    assert workflow_files.plan_of([chosen]).jobs == 1
    assert [steps.job for steps in workflow_files.steps_of([chosen])] == [job]


def test_a_job_that_no_file_has_is_named_with_those_that_exist() -> None:
    with pytest.raises(errors.WorkflowError, match="no workflow has a job test") as caught:
        workflow_files.with_jobs([CHAIN], ["test"])
    assert caught.value.remedy == "--job takes one of build, docs, lint"


def test_the_steps_are_shown_line_by_line() -> None:
    build = next(job for job in workflow_files.steps_of([CHAIN]) if job.job == "build")
    assert build.lines == ("uses: actions/checkout@v4", "echo one", "echo two")


def test_a_workflow_that_no_push_starts_is_left_out_and_all_of_them_is_an_error() -> None:
    manual = WorkflowFile(
        name="manual.yml", text=CHAIN.text.replace("[push, pull_request]", "workflow_dispatch")
    )
    assert workflow_files.triggered_by_push([manual, CHAIN]) == (CHAIN,)
    with pytest.raises(errors.WorkflowError, match=r"none of these workflows starts on a push: manual\.yml"):
        workflow_files.triggered_by_push([manual])


def test_a_file_that_cannot_be_read_as_a_workflow_is_named() -> None:
    broken = WorkflowFile(name="broken.yml", text="on: push\njobs: 3\n")
    with pytest.raises(errors.WorkflowError, match=r"broken\.yml cannot be run here") as caught:
        workflow_files.plan_of([broken])
    assert "jobs" in caught.value.cause


def test_files_are_found_in_a_folder_and_in_a_repository(tmp_path: Path) -> None:
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (workflows / "b.yaml").write_text("b")
    (workflows / "a.yml").write_text("a")
    (workflows / "notes.txt").write_text("no")
    expected = (WorkflowFile(name="a.yml", text="a"), WorkflowFile(name="b.yaml", text="b"))
    assert workflow_files.files_at(workflows) == expected
    assert workflow_files.files_at(tmp_path) == expected
    assert workflow_files.files_at(workflows / "a.yml") == expected[:1]


def test_a_folder_without_workflows_and_a_missing_file_are_errors_with_a_remedy(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.yml"):
        with pytest.raises(errors.WorkflowError) as caught:
            workflow_files.files_at(path)
        assert "--workflow" in caught.value.remedy
