"""A line of the runner's output -> what happened, or None. Pure.

The lines are those of GitHub's runner (src/Runner.Listener in https://github.com/actions/runner). Most begin with a
time such as `2026-09-16 15:14:46Z: `. Any of them can be forged by a workflow step: what an event is worth is
decided in `lifecycle`.
"""

import re

from runner_agent.lifecycle.events import (
    JobCompleted,
    JobStarted,
    RunnerDeprecated,
    RunnerLine,
    RunnerListening,
    RunnerRemarked,
    WorkerEnded,
)

_TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ: ")
_RUNNING = "Running job: "
_JOB = "Job "
_COMPLETED = " completed with result: "
_RESULTS = frozenset(
    {"Succeeded", "SucceededWithIssues", "Failed", "Canceled", "Cancelled", "Skipped", "Abandoned"}
)
_DEPRECATED = re.compile(
    r"^An error occurred: Runner version v?\S+ is deprecated and cannot receive messages"
)
_WORKER_ENDED = re.compile(r"^\[RUNNER [^\]]*\] Worker finished for job \S+ Code: (\d{1,3})$")
"""There with ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT=1, which GitHub's image sets."""
_REMARKS = (
    "The runner no longer exists on the server.",
    "Failed to create a session.",
    "Failed to create session.",
    "A session for this runner already exists.",
    "An error occurred: ",
    "Runner connect error: ",
    "Exiting with unknown error code: ",
)
_REMARK_CHARACTERS_MOST = 300


def event_of(line: str) -> RunnerLine | None:
    """What this line of the runner (without its line end) says has happened."""
    said = _TIME.sub("", line.strip())
    if said == "Listening for Jobs":
        return RunnerListening()
    if said.startswith(_RUNNING):
        return JobStarted(job=said.removeprefix(_RUNNING))
    if said.startswith(_JOB):
        # A job's name is free text and may itself hold the words, so the last occurrence counts.
        name, words, result = said.removeprefix(_JOB).rpartition(_COMPLETED)
        return JobCompleted(job=name, result=result) if words and result in _RESULTS else None
    if _DEPRECATED.match(said):
        return RunnerDeprecated()
    worker_ended = _WORKER_ENDED.match(said)
    if worker_ended:
        return WorkerEnded(code=int(worker_ended[1]))
    if said.startswith(_REMARKS):
        return RunnerRemarked(remark=said[:_REMARK_CHARACTERS_MOST])
    return None
