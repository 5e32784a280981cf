"""The REST operations: which world questions they ask and which shapes they answer. No credentials, no headers here.

Each function carries the address of GitHub's page about it.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from emulator.github import wire_accounts, wire_actions
from emulator.github.created import created_filter
from emulator.github.faults import Fault
from emulator.github.gateway import Call, Credential, Handler, Operation, Reply
from emulator.github.jit_configuration import encoded_jit_configuration
from emulator.github.jobs import Run
from emulator.github.keys import public_pem
from emulator.github.limits import ALLOWANCES, CORE, REGISTRATION
from emulator.github.refusals import not_found
from emulator.github.registration_wish import registration_wish
from emulator.github.runners import Registration
from emulator.github.tokens import Bearer

# "This endpoint will return up to 1,000 results for each search when using the following parameters":
# https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository
MOST_FILTERED_RUNS: Final = 1_000
DAY_SECONDS: Final = 86_400


async def app(call: Call) -> Reply:
    """https://docs.github.com/en/rest/apps/apps#get-the-authenticated-app"""
    return Reply(body=wire_accounts.app(call.installation.app, call.links))


async def organization_installation(call: Call) -> Reply:
    """https://docs.github.com/en/rest/apps/apps#get-an-organization-installation-for-the-authenticated-app"""
    return Reply(body=wire_accounts.installation(call.organization().installation, call.links))


async def repository_installation(call: Call) -> Reply:
    """https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app"""
    call.repository()
    return Reply(body=wire_accounts.installation(call.installation, call.links))


async def access_token(call: Call) -> Reply:
    """https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app"""
    # The form that github.com hands out since 2026: long, and with a JSON Web Token in it.
    app_id = call.installation.app.id
    unique = f"{call.number('installation_id')}.{call.world.chance.getrandbits(256):064x}"
    secret = f"ghs_{app_id}_{call.world.tokens.issue(Bearer.INSTALLATION, unique, now=call.now)}"
    call.site.credentials["installation_token"].append(secret)
    token = call.world.accounts.issue_token(
        call.number("installation_id"), app=call.installation.app, secret=secret, wish=call.body, now=call.now
    )
    seen = call.world.accounts.visible_repositories(token) if token.repositories is not None else None
    return Reply(status=201, body=wire_accounts.installation_token(token, seen, call.links))


async def installation_repositories(call: Call) -> Reply:
    """https://docs.github.com/en/rest/apps/installations#list-repositories-accessible-to-the-app-installation"""
    assert call.token is not None
    repositories = call.world.accounts.visible_repositories(call.token)
    return call.listing(
        "repositories", repositories, lambda one: wire_accounts.whole_repository(one, call.links)
    )


async def workflow_runs(call: Call) -> Reply:
    """https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository"""
    filters, status = _run_filters(call), call.query.get("status")
    runs = call.world.shown.runs(
        call.repository(), status=status, keep=lambda run: all(fits(run) for fits in filters), now=call.now
    )
    if filters or status is not None:
        runs = runs[:MOST_FILTERED_RUNS]
    return call.listing("workflow_runs", runs, lambda run: _run(call, run))


async def workflow_run(call: Call) -> Reply:
    """https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run"""
    return Reply(body=_run(call, call.world.ledger.run(call.number("run_id"), call.repository())))


async def jobs_of_run(call: Call) -> Reply:
    """https://docs.github.com/en/rest/actions/workflow-jobs#list-jobs-for-a-workflow-run

    `filter` chooses among attempts; a run here has one.
    """
    run = call.world.ledger.run(call.number("run_id"), call.repository())
    jobs = call.world.shown.jobs_of(run, now=call.now)
    return call.listing("jobs", jobs, lambda job: wire_actions.workflow_job(job, run, call.links))


async def job(call: Call) -> Reply:
    """https://docs.github.com/en/rest/actions/workflow-jobs#get-a-job-for-a-workflow-run"""
    found, run = call.world.ledger.job(call.number("job_id"), call.repository())
    shown = call.world.shown.job(found, now=call.now)
    return Reply(body=wire_actions.workflow_job(shown, run, call.links))


async def runners(call: Call) -> Reply:
    """https://docs.github.com/en/rest/actions/self-hosted-runners#list-self-hosted-runners-for-an-organization"""
    name = call.query.get("name")
    listed = call.world.shown.runners(call.scope(), now=call.now)
    found = [one for one in listed if name is None or one.name == name]
    return call.listing("runners", found, lambda one: _runner(call, one))


async def runner(call: Call) -> Reply:
    """https://docs.github.com/en/rest/actions/self-hosted-runners#get-a-self-hosted-runner-for-an-organization"""
    return Reply(body=_runner(call, call.world.runners.find(call.number("runner_id"), call.scope())))


async def delete_runner(call: Call) -> Reply:
    """https://docs.github.com/en/rest/actions/self-hosted-runners#delete-a-self-hosted-runner-from-an-organization"""
    call.site.wake(call.world.runners.delete(call.number("runner_id"), call.scope(), now=call.now))
    return Reply(status=204)


async def runner_groups(call: Call) -> Reply:
    """https://docs.github.com/en/rest/actions/self-hosted-runner-groups#list-self-hosted-runner-groups-for-an-organization"""
    organization = call.organization()
    groups = list(organization.groups.values())
    visible_to = call.query.get("visible_to_repository")
    if visible_to is not None:
        repository = organization.repository(visible_to)
        groups = [group for group in groups if repository is not None and group.serves(repository)]
    return call.listing(
        "runner_groups", groups, lambda group: wire_accounts.runner_group(group, organization, call.links)
    )


async def runner_deprecation(call: Call) -> Reply:
    """When a version of the runner may no longer register, and no longer run: null when no day is set.

    https://docs.github.com/en/rest/actions/self-hosted-runners
    """
    version = call.path["version"]
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise not_found()
    faults = call.world.faults
    too_old = any(faults.numbers(one) for one in (Fault.VERSION_UNSERVED, Fault.VERSION_REFUSED))
    return Reply(
        body={
            "runner_version": version,
            "registration_deprecates_at": None,
            "runtime_deprecates_at": call.links.moment(call.now - DAY_SECONDS) if too_old else None,
        }
    )


async def generate_jit_configuration(call: Call) -> Reply:
    """https://docs.github.com/en/rest/actions/self-hosted-runners#create-configuration-for-a-just-in-time-runner-for-an-organization"""
    world, scope = call.world, call.scope()
    organization = world.accounts.organization(scope.organization)
    if organization is None:
        raise not_found()
    wish = registration_wish(call.body)
    group = world.runners.group_for(wish, scope, organization)
    world.runners.refuse_taken_name(wish.name, scope)
    place = f"{scope.organization}/{scope.repository or ''}"
    world.limits.refuse_exceeded(place, REGISTRATION, now=call.now)
    key = await call.site.keys.take()
    # From here on nothing waits, so of two calls for one name exactly one gets it.
    registration = world.runners.register(
        wish, scope=scope, group=group, public_key=public_pem(key), now=call.site.clock()
    )
    world.limits.spend(place, REGISTRATION, now=call.now)
    encoded = encoded_jit_configuration(
        registration, key=key, broker_url=call.links.broker, token_url=call.links.token
    )
    call.site.credentials["encoded_jit_config"].append(encoded)
    return Reply(
        status=201,
        body={
            "runner": wire_actions.runner(registration, online=False, busy=False),
            "encoded_jit_config": encoded,
        },
    )


async def rate_limit(call: Call) -> Reply:
    """https://docs.github.com/en/rest/rate-limit/rate-limit#get-rate-limit-status-for-the-authenticated-user"""
    caller = f"installation ID {call.installation.id}"
    places = {REGISTRATION: f"{call.installation.organization}/"}
    readings = {
        resource: call.world.limits.reading(places.get(resource, caller), resource, now=call.now)
        .ahead(call.links.ahead_seconds)
        .body
        for resource in ALLOWANCES
    }
    return Reply(body={"resources": readings, "rate": readings[CORE]})


def _run(call: Call, run: Run) -> dict[str, Any]:
    status, conclusion = call.world.shown.status_of(run, now=call.now)
    return wire_actions.workflow_run(run, status=status, conclusion=conclusion, links=call.links)


def _runner(call: Call, registration: Registration) -> dict[str, Any]:
    online, busy = call.world.shown.state_of(registration, now=call.now)
    return wire_actions.runner(registration, online=online, busy=busy)


def _run_filters(call: Call) -> list[Callable[[Run], bool]]:
    query = call.query
    filters: list[Callable[[Run], bool]] = []
    if "event" in query:
        filters.append(lambda _run: query["event"] == "push")
    if "branch" in query:
        filters.append(lambda _run: query["branch"] == "main")
    if "head_sha" in query:
        filters.append(lambda run: query["head_sha"] == run.head_sha)
    if "actor" in query:
        filters.append(lambda run: query["actor"].casefold() == run.repository.owner.casefold())
    if "created" in query:
        is_in_range, ahead_seconds = created_filter(query["created"]), call.links.ahead_seconds
        # GitHub filters by what it shows, and that is by its own clock.
        filters.append(lambda run: is_in_range(run.created_at + ahead_seconds))
    return filters


def _in_both_scopes(method: str, path: str, handler: Handler, *, level: str) -> tuple[Operation, Operation]:
    """Runners are asked for in the same way in an organization and in a repository, under other permissions."""
    return (
        Operation(
            method=method,
            path="/orgs/{org}" + path,
            handler=handler,
            permission=("organization_self_hosted_runners", level),
        ),
        Operation(
            method=method,
            path="/repos/{owner}/{repo}" + path,
            handler=handler,
            permission=("administration", level),
        ),
    )


ACTIONS: Final = ("actions", "read")
METADATA: Final = ("metadata", "read")

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(method="GET", path="/app", handler=app, credential=Credential.APP),
    Operation(
        method="GET",
        path="/orgs/{org}/installation",
        handler=organization_installation,
        credential=Credential.APP,
    ),
    Operation(
        method="GET",
        path="/repos/{owner}/{repo}/installation",
        handler=repository_installation,
        credential=Credential.APP,
    ),
    Operation(
        method="POST",
        path="/app/installations/{installation_id}/access_tokens",
        handler=access_token,
        credential=Credential.APP,
    ),
    Operation(
        method="GET",
        path="/installation/repositories",
        handler=installation_repositories,
        permission=METADATA,
    ),
    Operation(
        method="GET", path="/repos/{owner}/{repo}/actions/runs", handler=workflow_runs, permission=ACTIONS
    ),
    Operation(
        method="GET",
        path="/repos/{owner}/{repo}/actions/runs/{run_id}",
        handler=workflow_run,
        permission=ACTIONS,
    ),
    Operation(
        method="GET",
        path="/repos/{owner}/{repo}/actions/runs/{run_id}/jobs",
        handler=jobs_of_run,
        permission=ACTIONS,
    ),
    Operation(
        method="GET", path="/repos/{owner}/{repo}/actions/jobs/{job_id}", handler=job, permission=ACTIONS
    ),
    *_in_both_scopes("GET", "/actions/runners", runners, level="read"),
    *_in_both_scopes(
        "POST", "/actions/runners/generate-jitconfig", generate_jit_configuration, level="write"
    ),
    *_in_both_scopes("GET", "/actions/runners/deprecations/{version}", runner_deprecation, level="read"),
    *_in_both_scopes("GET", "/actions/runners/{runner_id}", runner, level="read"),
    *_in_both_scopes("DELETE", "/actions/runners/{runner_id}", delete_runner, level="write"),
    Operation(
        method="GET",
        path="/orgs/{org}/actions/runner-groups",
        handler=runner_groups,
        permission=("organization_self_hosted_runners", "read"),
    ),
    Operation(method="GET", path="/rate_limit", handler=rate_limit, is_free=True),
)
