"""What can be made to go wrong in the stand-in GitHub: the catalogue. What a stroke does is written where the normal
course is (`rest_faults`, `shown`, `work`, `runners`, `broker`, `outbox`).

The last six happen in the stand-in runner: GitHub decides when, and tells the runner in the job that it hands out.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from emulator.faults import (
    WHETHER,
    Description,
    Faults,
    Parameter,
    on_occasion,
    seconds,
    share,
    spread_seconds,
)

LIMITS = "https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api"
RUNNER = "https://github.com/actions/runner"
TERRAFORM = "https://github.com/github-aws-runners/terraform-aws-github-runner"
WEBHOOKS = "https://docs.github.com/en/webhooks"
SELF_HOSTED = "https://docs.github.com/en/actions/reference/runners/self-hosted-runners"
GROUPS = "https://docs.github.com/en/actions/concepts/runners/runner-groups"
ASSUMED = "assumed: GitHub promises nothing here"


class Fault(StrEnum):
    # the REST API
    ERROR_5XX = "github-5xx"
    SLOW = "github-slow"
    REPLY_LOST = "github-reply-lost"
    PRIMARY_LIMIT = "primary-limit"
    SECONDARY_LIMIT = "secondary-limit"
    SECONDARY_REFUSAL = "secondary-refusal"
    TOKENS_REVOKED = "tokens-revoked"
    CLOCK_SKEW = "clock-skew"
    # lists of runners
    RUNNER_LIST_LAG = "runner-list-lag"
    RUNNER_LIST_INCOMPLETE = "runner-list-incomplete"
    RUNNER_LIST_EMPTY = "runner-list-empty"
    BUSY_LIES = "busy-lies"
    BUSY_LAG = "busy-lag"
    BUSY_DELETED = "busy-deleted"
    # lists of runs and jobs
    RUN_LIST_EMPTY = "run-list-empty"
    RUN_LIST_INCOMPLETE = "run-list-incomplete"
    RUN_HIDDEN = "run-hidden"
    RUN_SHOWN_QUEUED = "run-shown-queued"
    JOB_LIST_EMPTY = "job-list-empty"
    JOB_LAG = "job-lag"
    # webhooks
    WEBHOOK_LOST = "webhook-lost"
    WEBHOOK_DOUBLED = "webhook-doubled"
    WEBHOOK_LATE = "webhook-late"
    WEBHOOK_REORDERED = "webhook-reordered"
    WEBHOOK_FOREIGN = "webhook-foreign"
    WEBHOOK_FORGED = "webhook-forged"
    # jobs and their runners
    CANCELLED_BEFORE_PICK_UP = "cancelled-before-pick-up"
    CANCELLED_BY_USER = "cancelled-by-user"
    ASSIGNMENT_LOST = "assignment-lost"
    IDLE_RUNNER_REMOVED = "idle-runner-removed"
    VERSION_UNSERVED = "version-unserved"
    VERSION_REFUSED = "version-refused"
    JOB_UNASSIGNABLE = "job-unassignable"
    # in the runner
    RUNNER_DIES = "runner-dies"
    RUNNER_OUT_OF_MEMORY = "runner-out-of-memory"
    RUNNER_DEAF = "runner-deaf"
    RUNNER_RELAUNCHES = "runner-relaunches"
    FORGED_LINES = "forged-lines"
    DAEMONIZING_STEP = "daemonizing-step"


GitHubFaults = Faults[Fault]

IN_THE_RUNNER = (
    Fault.RUNNER_DIES,
    Fault.RUNNER_OUT_OF_MEMORY,
    Fault.RUNNER_DEAF,
    Fault.RUNNER_RELAUNCHES,
    Fault.FORGED_LINES,
    Fault.DAEMONIZING_STEP,
)


CATALOGUE: Mapping[Fault, Description] = MappingProxyType(
    {
        Fault.ERROR_5XX: on_occasion(
            "A REST call is answered with 502 or 503, and nothing is done.",
            "https://github.com/runs-on/runs-on/issues/546",
            share(0.3),
        ),
        Fault.SLOW: on_occasion(
            "A REST call is done, and its reply held back for so long.",
            "https://github.com/runs-on/runs-on/issues/30",
            seconds(40),
            share(0.1),
        ),
        Fault.REPLY_LOST: on_occasion(
            "A REST call that changes something is done, and the connection breaks without a reply.",
            "https://github.com/runs-on/runs-on/issues/546",
            share(0.3),
        ),
        Fault.PRIMARY_LIMIT: on_occasion(
            "The caller's hourly allowance is used up for so long: 403 with `x-ratelimit-remaining: 0` and a reset.",
            LIMITS,
            seconds(60),
            share(0.02),
        ),
        Fault.SECONDARY_LIMIT: Description(
            sentence=(
                "Calls above so many points in sixty seconds (a read is 1, a write 5) or so many at once "
                "are refused with 403 and Retry-After (0: without it)."
            ),
            source=f"{LIMITS}#about-secondary-rate-limits",
            parameters=(
                Parameter(name="points_per_minute", default=900, whole=True),
                Parameter(name="concurrent", default=100, whole=True),
                Parameter(name="retry_after_seconds", default=60, whole=True),
            ),
        ),
        Fault.SECONDARY_REFUSAL: on_occasion(
            (
                "A REST call is refused by a secondary limit, whatever was used: with 403 or 429, with or "
                "without Retry-After."
            ),
            f"{LIMITS}#exceeding-the-rate-limit",
            share(0.1),
            Parameter(name="forbidden_share", default=0.5, most=1),
            Parameter(name="header_share", default=0.5, most=1),
            Parameter(name="retry_after_seconds", default=60, whole=True),
        ),
        Fault.TOKENS_REVOKED: on_occasion(
            "Every installation token issued before this call is good no longer: 401.",
            "https://docs.github.com/en/rest/apps/installations#revoke-an-installation-access-token",
            share(0.02),
        ),
        Fault.CLOCK_SKEW: Description(
            sentence=(
                "GitHub's clock is so far ahead (below 0: behind) for the App's JWTs and for every time that the "
                "REST API and webhooks write."
            ),
            source=(
                "https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/"
                "generating-a-json-web-token-jwt-for-a-github-app"
            ),
            parameters=(Parameter(name="seconds_ahead", default=120, least=-86_400, most=86_400),),
        ),
        Fault.RUNNER_LIST_LAG: Description(
            sentence="Lists of runners are so old: what registered meanwhile is missing, what is gone still stands there.",
            source=f"{TERRAFORM}/issues/4391",
            parameters=(seconds(60),),
        ),
        Fault.RUNNER_LIST_INCOMPLETE: on_occasion(
            "An entry is missing in a list of runners.",
            "https://github.com/cloudbase/garm/issues/834",
            share(0.3),
        ),
        Fault.RUNNER_LIST_EMPTY: on_occasion(
            "A list of runners is empty.", "https://github.com/cloudbase/garm/issues/834", share(0.3)
        ),
        Fault.BUSY_LIES: on_occasion(
            "A runner is shown idle in the middle of its job, or busy while it is idle.",
            f"{TERRAFORM}/issues/5228",
            share(0.3),
        ),
        Fault.BUSY_LAG: Description(
            sentence="`busy` and `status` of a runner are so old.",
            source=f"{TERRAFORM}/issues/5085",
            parameters=(seconds(60),),
        ),
        Fault.BUSY_DELETED: on_occasion(
            (
                "Deleting the registration of a busy runner succeeds with 204; the runner is told that it no longer "
                "exists, and cancels its job."
            ),
            f"{RUNNER}/issues/4422",
        ),
        Fault.RUN_LIST_EMPTY: on_occasion(
            "A list of runs with a status filter is empty.",
            "https://github.com/actions/actions-runner-controller/issues/362",
            share(0.3),
        ),
        Fault.RUN_LIST_INCOMPLETE: on_occasion(
            "An entry is missing in a list of runs with a status filter.",
            "https://github.com/actions/actions-runner-controller/issues/362",
            share(0.3),
        ),
        Fault.RUN_HIDDEN: on_occasion(
            "A new run is in no list with a status filter for so long, while its jobs are queued.",
            ASSUMED,
            seconds(60),
        ),
        Fault.RUN_SHOWN_QUEUED: on_occasion(
            "A run is shown as queued for so long after its first job began.",
            "https://github.com/cli/cli/issues/13972",
            seconds(60),
        ),
        Fault.JOB_LIST_EMPTY: on_occasion(
            "The list of a new run's jobs is empty for so long.",
            (
                "https://github.com/actions/actions-runner-controller/blob/master/controllers/"
                "actions.summerwind.net/autoscaling.go"
            ),
            seconds(20),
        ),
        Fault.JOB_LAG: on_occasion(
            "A job is shown so much longer as it was before it began, or before it ended.",
            f"{TERRAFORM}/issues/5085",
            seconds(25),
            spread_seconds(35),
        ),
        Fault.WEBHOOK_LOST: on_occasion(
            "A webhook is not sent.",
            f"{WEBHOOKS}/using-webhooks/handling-failed-webhook-deliveries",
            share(0.3),
        ),
        Fault.WEBHOOK_DOUBLED: on_occasion(
            "A webhook is sent a second time, under the same delivery id, so much later.",
            f"{WEBHOOKS}/testing-and-troubleshooting-webhooks/redelivering-webhooks",
            seconds(1),
        ),
        Fault.WEBHOOK_LATE: on_occasion(
            "A webhook is sent so much later.",
            f"{WEBHOOKS}/testing-and-troubleshooting-webhooks/troubleshooting-webhooks",
            seconds(60),
        ),
        Fault.WEBHOOK_REORDERED: on_occasion(
            "A webhook is sent after the one that follows it, or after so long when none follows.",
            f"{WEBHOOKS}/testing-and-troubleshooting-webhooks/troubleshooting-webhooks",
            seconds(10),
        ),
        Fault.WEBHOOK_FOREIGN: on_occasion(
            "A webhook is followed by one about a repository and an organization that are not ours, rightly signed.",
            f"{WEBHOOKS}/webhook-events-and-payloads#workflow_job",
        ),
        Fault.WEBHOOK_FORGED: on_occasion(
            "A webhook is followed by one that says the same under a new delivery id, wrongly signed.",
            f"{WEBHOOKS}/using-webhooks/validating-webhook-deliveries",
        ),
        Fault.CANCELLED_BEFORE_PICK_UP: on_occasion(
            (
                "A job is cancelled just before its runner acquires it: 404, 409 or 422; the registration is "
                "consumed, and the runner listens on."
            ),
            f"{RUNNER}/issues/4617",
        ),
        Fault.CANCELLED_BY_USER: on_occasion(
            "A user cancels a job so long after it began: its runner gets a JobCancellation message.",
            "https://docs.github.com/en/actions/how-tos/manage-workflow-runs/cancel-a-workflow-run",
            seconds(2),
        ),
        Fault.ASSIGNMENT_LOST: on_occasion(
            (
                "A job is assigned to a runner that is never told: its registration is consumed, and the job "
                "queued again after a minute."
            ),
            SELF_HOSTED,
        ),
        Fault.IDLE_RUNNER_REMOVED: on_occasion(
            "A runner that has had its session for so long without a job is removed: its poll gets RunnerNotFound.",
            f"{RUNNER}/issues/4726",
            seconds(120),
            spread_seconds(240),
        ),
        Fault.VERSION_UNSERVED: on_occasion(
            "A runner's version is too old: it registers and listens, and never gets a job.",
            "https://github.com/testflows/TestFlows-GitHub-Hetzner-Runners/issues/122",
        ),
        Fault.VERSION_REFUSED: on_occasion(
            "A runner's version is too old: its polls for messages are refused with RunnerVersionTooOld.",
            f"{RUNNER}/pull/4285",
        ),
        Fault.JOB_UNASSIGNABLE: on_occasion(
            "A job is given to no runner for so long, although some listen that fit, as for a wrong runner group.",
            GROUPS,
            seconds(3600),
            share(0.3),
        ),
        Fault.RUNNER_DIES: on_occasion(
            "All processes of the runner get SIGKILL so long into the job.",
            "https://github.com/ejc3/fcvm/issues/834",
            seconds(2),
        ),
        Fault.RUNNER_OUT_OF_MEMORY: on_occasion(
            "Worker and steps get SIGKILL so long into the job; the listener lives on.",
            f"{RUNNER}/blob/main/src/Runner.Listener/JobDispatcher.cs",
            seconds(2),
        ),
        Fault.RUNNER_DEAF: on_occasion(
            "Listener, worker and steps ignore SIGINT and SIGTERM.",
            f"{RUNNER}/blob/main/src/Runner.Listener/Runner.cs",
        ),
        Fault.RUNNER_RELAUNCHES: on_occasion(
            (
                "After its job the listener ends with 2, so that the launcher starts it again with the used "
                "configuration."
            ),
            f"{RUNNER}/issues/3822",
        ),
        Fault.FORGED_LINES: on_occasion(
            "Lines that only the listener should write stand on the runner's output in the middle of the job.",
            f"{RUNNER}/blob/main/src/Runner.Listener/JobDispatcher.cs",
        ),
        Fault.DAEMONIZING_STEP: on_occasion(
            "A process leaves the step's session, ignores SIGINT and SIGTERM, and outlives the job.",
            "https://man7.org/linux/man-pages/man2/setsid.2.html",
        ),
    }
)


def strokes_in_the_runner(faults: GitHubFaults) -> dict[str, dict[str, float]]:
    """What is to go wrong in a runner with the job that it has just acquired: fault -> the numbers that it needs."""
    struck = {fault.value: faults.strike(fault) for fault in IN_THE_RUNNER}
    return {
        name: {key: number for key, number in numbers.items() if key not in WHETHER}
        for name, numbers in struck.items()
        if numbers is not None
    }
