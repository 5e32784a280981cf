"""Reading the queue of many repositories, cold and warm, beside the serial scan of P + 2R + W requests.

The serial scan is what KEDA's github-runner scaler does in each poll: one request after the other, no ETag
(https://github.com/kedacore/keda/blob/main/pkg/scalers/github_runner_scaler.go).
"""

import random
import statistics
import time
from bisect import bisect_left
from collections.abc import Sequence

import httpx

from bench.loopback_server import served
from bench.measures import Row
from bench.scaler_program import WEBHOOK_SECRET, RunningScaler, running_scaler
from bench.stub_vendors import ORGANIZATION, Asked, StubVendors, webhook

NAME_OF_HUNDRED = "sweep-100"
NAME_OF_THOUSAND = "sweep-1000"
DELAY_SECONDS = 0.020
POINTS_A_MINUTE = 900
LEAST_TIMES_FASTER = 8.0
MOST_SECONDS_TO_A_LOOK = 1.0
_SECONDS_BETWEEN_WEBHOOKS = 3.0
_COLD_WITHIN_SECONDS = 300.0
_PER_PAGE = 100


def row_of_hundred() -> Row:
    """100 repositories, ten of them with one active run; cold must be well faster than serial."""
    cold, warm, serial = [], [], []
    rounds = 3
    for _ in range(rounds):
        serial.append(_serial_seconds(_vendors(100)))
        first, later = _sweeps(100)
        cold.append(first)
        warm.append(later)
    ratio = statistics.median(serial) / statistics.median(_seconds(each) for each in cold)
    return Row(
        bench=NAME_OF_HUNDRED,
        measured=f"cold {_told(cold)} = {ratio:.1f} x faster than the serial scan's {statistics.median(serial):.2f} s; "
        f"warm {_told(warm)}, {_unchanged(warm)} of them 304",
        runs=f"{rounds} each, alternating",
        target=f"cold >= {LEAST_TIMES_FASTER:.0f} x faster, warm all 304, warm <= half the points",
        met=ratio >= LEAST_TIMES_FASTER
        and all(_all_unchanged(each) for each in warm)
        and all(2 * len(later) <= len(first) for first, later in zip(cold, warm, strict=True)),
    )


def row_of_thousand() -> Row:
    """1,000 repositories; the points a minute are what bounds it at GitHub. Webhooks come all the while."""
    vendors = _vendors(1000)
    with running_scaler(vendors, minimum=0, await_ready=False) as scaler:
        looks = _looks_during(scaler)
        cold = [each for each in vendors.asked if each.method == "GET"]
        vendors.asked.clear()
        scaler.tick(timeout_seconds=_COLD_WITHIN_SECONDS)
        warm = list(vendors.asked)
    allowed = len(cold) / POINTS_A_MINUTE * 60
    busiest, latest = _most_in_a_minute([*cold, *warm]), max(looks)
    return Row(
        bench=NAME_OF_THOUSAND,
        measured=f"cold {_told([cold])}, {POINTS_A_MINUTE} points a minute allow {allowed:.0f} s; a repository named by one "
        f"of {len(looks)} webhooks meanwhile looked at after {latest:.2f} s at the latest; warm {_told([warm])}, "
        f"{_unchanged([warm])} of them 304; at most {busiest} requests within a minute",
        runs="1",
        target=f"cold <= 1.1 x {allowed:.0f} s, <= {POINTS_A_MINUTE} a minute, each look <= {MOST_SECONDS_TO_A_LOOK:.0f} s; "
        "warm all 304, warm <= half the points",
        met=_seconds(cold) <= 1.1 * allowed
        and busiest <= POINTS_A_MINUTE
        and latest <= MOST_SECONDS_TO_A_LOOK
        and _all_unchanged(warm)
        and 2 * len(warm) <= len(cold),
    )


def _looks_during(scaler: RunningScaler) -> list[float]:
    """Send a webhook about some repository every few seconds until everything has been read once; gives after how
    many seconds each was looked at.
    """
    chance = random.Random(7)  # noqa: S311 - a choice, not a secret
    deadline = time.monotonic() + _COLD_WITHIN_SECONDS
    waits: list[float] = []
    while not scaler.is_ready():
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"not everything was read within {_COLD_WITHIN_SECONDS:g} s; {len(scaler.vendors.asked)} requests came"
            )
        waits.append(_seconds_to_a_look(scaler, chance.choice(scaler.vendors.repositories), deadline))
        time.sleep(_SECONDS_BETWEEN_WEBHOOKS)
    return waits


def _seconds_to_a_look(scaler: RunningScaler, repository: str, deadline: float) -> float:
    """From a webhook about a repository to the first request about it."""
    known, sent = len(scaler.vendors.asked), time.monotonic()
    body, headers = webhook(repository=repository, run=1, secret=WEBHOOK_SECRET)
    reply = scaler.http.post(f"{scaler.url}/webhooks/github", content=body, headers=headers)
    reply.raise_for_status()
    path = f"/repos/{ORGANIZATION}/{repository}/"
    while time.monotonic() < deadline:
        for each in scaler.vendors.asked[known:]:
            if each.path.startswith(path) and each.begun >= sent:
                return each.begun - sent
        time.sleep(0.01)
    raise RuntimeError(f"{repository} was never looked at after its webhook")


def _vendors(repositories: int) -> StubVendors:
    names = tuple(f"repository-{number:04}" for number in range(repositories))
    return StubVendors(
        repositories=names,
        cell_sizes=(),
        delay_seconds=DELAY_SECONDS,
        queued={name: (1000 + number,) for number, name in enumerate(names) if number % 10 == 0},
    )


def _sweeps(repositories: int) -> tuple[list[Asked], list[Asked]]:
    """What the scaler asked GitHub for in its first sweep, and in the one after it."""
    vendors = _vendors(repositories)
    with running_scaler(vendors, minimum=0, ready_within_seconds=300.0) as scaler:
        cold = [each for each in vendors.asked if each.method == "GET"]
        vendors.asked.clear()
        scaler.tick(timeout_seconds=300.0)
        return cold, list(vendors.asked)


def _serial_seconds(vendors: StubVendors) -> float:
    """P + 2R + W requests over one kept connection."""
    with served(vendors.app()) as url, httpx.Client(base_url=url, trust_env=False) as http:
        begun = time.monotonic()
        names: list[str] = []
        page: str | None = f"/installation/repositories?per_page={_PER_PAGE}"
        while page is not None:
            reply = http.get(page).raise_for_status()
            names += [each["full_name"] for each in reply.json()["repositories"]]
            page = reply.links.get("next", {}).get("url")
        for name in names:
            for status in ("queued", "in_progress"):
                runs = http.get(f"/repos/{name}/actions/runs?status={status}&per_page={_PER_PAGE}")
                for run in runs.raise_for_status().json()["workflow_runs"]:
                    jobs = http.get(f"/repos/{name}/actions/runs/{run['id']}/jobs?per_page={_PER_PAGE}")
                    jobs.raise_for_status()
        taken = time.monotonic() - begun
    expected = 1 + 2 * len(vendors.repositories) + len(vendors.queued)
    if len(vendors.asked) != expected or not names[0].startswith(ORGANIZATION):
        raise RuntimeError(f"the serial scan made {len(vendors.asked)} requests instead of {expected}")
    return taken


def _seconds(asked: Sequence[Asked]) -> float:
    """From the arrival of the first request to the last answer."""
    return max((each.ended for each in asked), default=0.0) - min((each.begun for each in asked), default=0.0)


def _told(sweeps: Sequence[Sequence[Asked]]) -> str:
    requests = statistics.median(len(each) for each in sweeps)
    return f"{statistics.median(_seconds(each) for each in sweeps):.2f} s with {requests:.0f} requests"


def _unchanged(sweeps: Sequence[Sequence[Asked]]) -> str:
    return f"{statistics.median(sum(each.status == 304 for each in sweep) for sweep in sweeps):.0f}"


def _all_unchanged(sweep: Sequence[Asked]) -> bool:
    return bool(sweep) and all(each.status == 304 for each in sweep)


def _most_in_a_minute(sweep: Sequence[Asked]) -> int:
    begun = sorted(each.begun for each in sweep)
    return max(bisect_left(begun, at + 60) - index for index, at in enumerate(begun))
