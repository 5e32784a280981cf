"""A run: needs, conditions, matrices, failures, and how it ends."""

import pytest

from emulator.workflow.run import PlannedJob, RunPlan, RunProgress


def started(jobs: str) -> RunProgress:
    """A run of a file with these jobs (indented by two spaces); each gets steps and runs-on where it has none."""
    return RunPlan.load(f"on: push\njobs:\n{jobs}", filename="ci.yml").start(
        github={"ref": "refs/heads/main", "sha": "abc"}, run_id=7
    )


def job(name: str, rest: str = "") -> str:
    """A job in one line."""
    return f"  {name}: {{runs-on: x, steps: [{{run: echo}}]{', ' if rest else ''}{rest}}}\n"


def keys(planned: list[PlannedJob]) -> list[str]:
    """What is due: its keys, with the conclusion of what needs no runner."""
    return [one.key if one.conclusion is None else f"{one.key}={one.conclusion}" for one in planned]


def test_a_job_is_due_when_all_it_needs_has_succeeded() -> None:
    """And only once."""
    run = started(job("a") + job("b", "needs: a") + job("c", "needs: [a, b]"))
    assert keys(run.due()) == ["a"]
    assert keys(run.due()) == []
    run.conclude("a", "success")
    assert keys(run.due()) == ["b"]
    run.conclude("b", "success")
    assert keys(run.due()) == ["c"]
    assert run.conclusion is None
    run.conclude("c", "success")
    assert keys(run.due()) == []
    assert run.conclusion == "success"


@pytest.mark.parametrize(
    ("first", "rest", "expected"),
    [
        ("failure", "", "b=skipped"),
        ("cancelled", "", "b=skipped"),
        ("skipped", "", "b=skipped"),
        ("failure", "if: failure()", "b"),
        ("success", "if: failure()", "b=skipped"),
        ("failure", "if: always()", "b"),
        ("cancelled", "if: always()", "b"),
        ("failure", "if: '!cancelled()'", "b"),
        ("failure", "if: \"needs.a.result == 'failure'\"", "b=skipped"),  # success() is implied
        ("failure", "if: \"always() && needs.a.result == 'failure'\"", "b"),
        ("success", "if: github.ref == 'refs/heads/main'", "b"),
        ("success", "if: github.ref == 'refs/heads/other'", "b=skipped"),
        ("success", "if: '${{ false }}'", "b=skipped"),
    ],
)
def test_conditions_decide_with_success_implied(first: str, rest: str, expected: str) -> None:
    """By the conclusion of the job that is needed."""
    run = started(job("a") + job("b", f"needs: a{', ' if rest else ''}{rest}"))
    run.due()
    run.conclude("a", first)
    assert keys(run.due()) == [expected]


def test_a_skip_goes_on_down_the_chain_at_once() -> None:
    """One call tells of all of them; always() stops the chain for itself, not for what comes after."""
    run = started(
        job("a")
        + job("b", "needs: a")
        + job("c", "needs: b")
        + job("d", "needs: c, if: always()")
        + job("e", "needs: d")
    )
    run.due()
    run.conclude("a", "failure")
    assert keys(run.due()) == ["b=skipped", "c=skipped", "d"]
    run.conclude("d", "success")
    assert keys(run.due()) == ["e=skipped"]  # an ancestor of it has failed
    assert run.conclusion == "failure"


def test_outputs_reach_those_who_need_them() -> None:
    """In the condition, the matrix and the labels."""
    run = started(
        job("a", "outputs: {list: x}")
        + "  b:\n"
        + "    needs: a\n"
        + "    runs-on: ${{ fromJSON(needs.a.outputs.labels) }}\n"
        + '    strategy: {matrix: {v: "${{ fromJSON(needs.a.outputs.list) }}"}}\n'
        + "    steps: [{run: echo}]\n"
    )
    run.due()
    run.conclude("a", "success", {"list": '["x", "y"]', "labels": '["self-hosted", "big"]'})
    found = run.due()
    assert [one.name for one in found] == ["b (x)", "b (y)"]
    assert {one.labels for one in found} == {("self-hosted", "big")}


def test_a_matrix_that_cannot_be_computed_fails_its_job() -> None:
    """The message says where and why; what needs it is skipped."""
    run = started(
        job("a")
        + job("b", 'needs: a, strategy: {matrix: {v: "${{ fromJSON(needs.a.outputs.list) }}"}}')
        + job("c", "needs: b")
    )
    run.due()
    run.conclude("a", "success", {})
    failed, skipped = run.due()
    assert (failed.key, failed.conclusion, skipped.conclusion) == ("b", "failure", "skipped")
    assert failed.message is not None
    assert failed.message.startswith("ci.yml: jobs.b: fromJSON: '' is not JSON")
    assert run.conclusion == "failure"


@pytest.mark.parametrize(
    ("runs_on", "labels", "group"),
    [
        ("ubuntu", ("ubuntu",), None),
        ("[self-hosted, linux]", ("self-hosted", "linux"), None),
        ("{group: big}", (), "big"),
        ("{group: big, labels: gpu}", ("gpu",), "big"),
        ("{labels: [a, b]}", ("a", "b"), None),
        ("'${{ matrix.os }}-small'", ("linux-small",), None),
        ("['${{ matrix.os }}', x]", ("linux", "x"), None),
        ('"${{ fromJSON(\'{\\"group\\": \\"g\\"}\') }}"', (), "g"),
    ],
)
def test_runs_on_names_labels_and_a_group(runs_on: str, labels: tuple[str, ...], group: str | None) -> None:
    """In all the forms of the documentation."""
    text = f"  a: {{runs-on: {runs_on}, strategy: {{matrix: {{os: [linux]}}}}, steps: [{{run: echo}}]}}\n"
    (found,) = started(text).due()
    assert (found.conclusion, found.labels, found.group) == (None, labels, group)


@pytest.mark.parametrize("runs_on", ["''", "[]", "{}", "{grup: x}", "'${{ matrix.missing }}'", "[[a]]"])
def test_runs_on_that_names_no_runner_fails_the_job(runs_on: str) -> None:
    """It would wait for ever."""
    text = f"  a: {{runs-on: {runs_on}, strategy: {{matrix: {{os: [linux]}}}}, steps: [{{run: echo}}]}}\n"
    (found,) = started(text).due()
    assert found.conclusion == "failure"
    assert "runs-on" in (found.message or "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", ["a (linux, 1)", "a (linux, 2)"]),
        ("name: Tests", ["Tests (linux, 1)", "Tests (linux, 2)"]),
        ("name: 'T ${{ matrix.v }}'", ["T 1", "T 2"]),
        (f"name: {'n' * 120}", ["n" * 97 + "..."] * 2),
    ],
)
def test_names_tell_the_jobs_of_a_matrix_apart(name: str, expected: list[str]) -> None:
    """A name with an expression stands as it is computed; long ones are cut."""
    rest = "strategy: {matrix: {os: [linux], v: [1, 2]}}" + (f", {name}" if name else "")
    assert [one.name for one in started(job("a", rest)).due()] == expected


def test_keys_are_unique_and_strategy_counts_the_jobs() -> None:
    """job-index and job-total, as steps see them."""
    found = started(job("a", "strategy: {matrix: {v: [1, 1]}}") + job("b")).due()
    assert keys(found) == ["a.0", "a.1", "b"]
    contexts = found[1].definition["contexts"]
    assert isinstance(contexts, dict)
    assert contexts["strategy"] == {"fail-fast": True, "job-index": 1, "job-total": 2, "max-parallel": 2}


def test_max_parallel_gives_out_the_next_job_when_one_has_ended() -> None:
    """Never more at once."""
    run = started(job("a", "strategy: {max-parallel: 2, matrix: {v: [1, 2, 3, 4]}}"))
    assert keys(run.due()) == ["a.0", "a.1"]
    assert keys(run.due()) == []
    run.conclude("a.1", "success")
    assert keys(run.due()) == ["a.2"]
    run.conclude("a.0", "success")
    run.conclude("a.2", "success")
    assert keys(run.due()) == ["a.3"]
    run.conclude("a.3", "success")
    assert run.conclusion == "success"


def test_fail_fast_ends_the_other_jobs_of_the_matrix() -> None:
    """What waits is cancelled at once; what runs is named for GitHub to cancel."""
    run = started(job("a", "strategy: {max-parallel: 2, matrix: {v: [1, 2, 3]}}") + job("b"))
    run.due()
    run.conclude("a.0", "failure")
    assert run.unwanted() == ["a.1"]
    assert run.unwanted() == []
    assert keys(run.due()) == ["a.2=cancelled"]
    run.conclude("a.1", "cancelled")
    run.conclude("b", "success")
    assert run.conclusion == "failure"


def test_without_fail_fast_the_others_go_on() -> None:
    """`fail-fast: false`"""
    run = started(job("a", "strategy: {fail-fast: false, matrix: {v: [1, 2]}}") + job("b", "needs: a"))
    run.due()
    run.conclude("a.0", "failure")
    assert run.unwanted() == []
    run.conclude("a.1", "success")
    assert keys(run.due()) == ["b=skipped"]


def test_continue_on_error_lets_the_run_succeed() -> None:
    """For one job of a matrix as well; it does not end the others."""
    rest = "strategy: {matrix: {v: [1, 2]}}, continue-on-error: '${{ matrix.v == 1 }}'"
    run = started(job("a", rest) + job("b", "needs: a"))
    run.due()
    run.conclude("a.0", "failure")
    assert run.unwanted() == []
    run.conclude("a.1", "success")
    assert keys(run.due()) == ["b"]
    run.conclude("b", "success")
    assert run.conclusion == "success"


def test_outputs_of_a_matrix_are_merged_and_texts_win_over_nothing() -> None:
    """The last job that gave a text is heard."""
    run = started(
        job("a", "strategy: {matrix: {v: [1, 2]}}")
        + job("b", "needs: a, name: '${{ needs.a.outputs.x }}${{ needs.a.outputs.y }}'")
    )
    run.due()
    run.conclude("a.0", "success", {"x": "one", "y": "1"})
    run.conclude("a.1", "success", {"x": "two", "y": ""})
    (found,) = run.due()
    assert found.name == "two1"


def test_a_second_conclusion_changes_nothing() -> None:
    """GitHub may hear of the end of a job twice."""
    run = started(job("a"))
    run.due()
    run.conclude("a", "failure")
    run.conclude("a", "success")
    assert run.conclusion == "failure"


def test_unknown_keys_and_words_are_refused() -> None:
    """They are mistakes of the caller."""
    run = started(job("a"))
    run.due()
    with pytest.raises(KeyError):
        run.conclude("b", "success")
    with pytest.raises(ValueError, match="timed_out"):
        run.conclude("a", "timed_out")


def test_a_cancelled_run_starts_only_what_asks_for_it() -> None:
    """always() and cancelled() do; a plain job ends as cancelled."""
    run = started(
        job("a")
        + job("b", "needs: a")
        + job("c", "needs: a, if: cancelled()")
        + job("d", "needs: a, if: failure()")
    )
    run.due()
    run.cancel()
    assert run.unwanted() == ["a"]
    run.conclude("a", "cancelled")
    assert keys(run.due()) == ["b=cancelled", "c", "d=cancelled"]
    run.conclude("c", "success")
    assert run.conclusion == "cancelled"


def test_a_run_in_which_everything_is_skipped_is_skipped() -> None:
    """As GitHub says it."""
    run = started(job("a", "if: false") + job("b", "needs: a"))
    assert keys(run.due()) == ["a=skipped", "b=skipped"]
    assert run.conclusion == "skipped"


def test_a_matrix_whose_combinations_are_all_excluded_is_skipped() -> None:
    """The run must not wait for jobs that do not exist."""
    run = started(job("a", "strategy: {matrix: {v: [1], exclude: [{v: 1}]}}"))
    assert keys(run.due()) == ["a=skipped"]
    assert run.conclusion == "skipped"


@pytest.mark.parametrize(
    ("given", "minutes"),
    [("", 360.0), ("timeout-minutes: 5", 5.0), ("timeout-minutes: '${{ matrix.v }}'", 2.0)],
)
def test_the_timeout_is_six_hours_unless_given(given: str, minutes: float) -> None:
    """Expressions may compute it."""
    (found,) = started(job("a", "strategy: {matrix: {v: [2]}}" + (f", {given}" if given else ""))).due()
    assert found.timeout_minutes == minutes
