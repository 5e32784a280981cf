"""The runner's side: token, session, message, acquirejob, renewjob, completejob, in the shapes of GitHub's services.

Learned from the client, https://github.com/actions/runner: BrokerHttpClient.cs, RunServiceHttpClient.cs,
VssOAuthTokenHttpClient.cs, RunnerJobRequestRef.cs. The one call that is ours is the log's: the real runner uploads
its logs through the Results service, which it leaves alone when a job names none.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from emulator.github.faults import strokes_in_the_runner
from emulator.github.jobs import Job, Run
from emulator.github.links import moment
from emulator.github.refusals import BROKER, BrokerRefusal, ControlRefusal, Refusal
from emulator.github.runner_reports import (
    asserted_client,
    reported_conclusion,
    reported_outputs,
    reported_steps,
    verify_assertion,
)
from emulator.github.runners import Registration, RegistrationState, Session
from emulator.github.site import Site, disconnection
from emulator.github.tokens import LIFE_SECONDS, Bearer

POLL_SECONDS: Final = 50.0  # how long the broker holds a message poll; the client gives up after 100 s
JOB_TOKEN_SECONDS: Final = 6 * 3600.0
INSTANCE_HEADER: Final = "x-emulator-instance"
RENEWAL_VARIABLE: Final = "system.emulator.renew_seconds"
FAULTS_VARIABLE: Final = "system.emulator.runner_faults"
CANCEL_TIMEOUT: Final = "00:05:00"  # a .NET TimeSpan: how long a cancelled job may take to end


class JobMessage(Protocol):
    """Writes an AgentJobRequestMessage."""

    def __call__(
        self,
        definition: dict[str, Any],
        *,
        job_id: str,
        plan_id: str,
        timeline_id: str,
        run_service_url: str,
        access_token: str,
        source: str | None,
        github: dict[str, Any],
        log_url: str | None,
    ) -> dict[str, Any]: ...


Endpoint = Callable[[Request], Awaitable[Response]]


def _answering(endpoint: Endpoint) -> Endpoint:
    """`endpoint`, with refusals turned into replies."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refusal as refusal:
            return JSONResponse(refusal.body, status_code=refusal.status)

    return answered


class Broker:
    """The endpoints that a runner knows from its just-in-time configuration."""

    def __init__(self, site: Site, *, job_message: JobMessage) -> None:
        self._site = site
        self._job_message = job_message

    def routes(self) -> list[Route]:
        table = (
            ("POST", "/_oauth/token", self._token),
            ("POST", "/_broker/session", self._create_session),
            ("DELETE", "/_broker/session", self._delete_session),
            ("GET", "/_broker/message", self._message),
            ("POST", "/_broker/acknowledge", self._acknowledge),
            ("POST", "/_run/acquirejob", self._acquire_job),
            ("POST", "/_run/renewjob", self._renew_job),
            ("POST", "/_run/completejob", self._complete_job),
            ("POST", "/_runner/log", self._log),
        )
        return [Route(path, _answering(endpoint), methods=[method]) for method, path, endpoint in table]

    # ── who is it ────────────────────────────────────────────────────────────────────────────────────────────

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        now = self._site.clock()
        registration = self._site.world.runners.with_client_id(asserted_client(form))
        verify_assertion(form, public_key=registration.public_key, audience=self._site.links.token, now=now)
        token = self._site.world.tokens.issue(Bearer.RUNNER, str(registration.id), now=now)
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": int(LIFE_SECONDS)})

    def _bearer(self, request: Request) -> tuple[Bearer, str]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = self._site.world.tokens.subject(token, now=self._site.clock())
        if scheme.casefold() != "bearer" or found is None:
            raise BrokerRefusal(401, "The token is not valid", source=BROKER)
        return found

    def _runner(self, request: Request) -> Registration:
        bearer, subject = self._bearer(request)
        if bearer is not Bearer.RUNNER:
            raise BrokerRefusal(403, "This token does not speak for a runner", source=BROKER)
        return self._site.world.runners.with_id(int(subject))

    def _require_holder(self, request: Request, job_uuid: str) -> None:
        """Renewing and completing is for the job's own token, or for the runner that holds the job."""
        bearer, subject = self._bearer(request)
        job = self._site.world.ledger.with_uuid(job_uuid)
        holder = job.runner if job is not None else None
        fits = subject == (job_uuid if bearer is Bearer.JOB else str(holder.id if holder else None))
        if not fits:
            raise BrokerRefusal(403, "This token does not speak for the job")

    # ── session and messages ─────────────────────────────────────────────────────────────────────────────────

    async def _create_session(self, request: Request) -> Response:
        registration = self._runner(request)
        wish = await _json_object(request, source=BROKER)
        agent = wish.get("agent")
        described = agent if isinstance(agent, dict) else {}
        session = self._site.world.runners.open_session(
            registration,
            instance=request.headers.get(INSTANCE_HEADER),
            version=described.get("version"),
            os=_family(described.get("osDescription")),
            now=self._site.clock(),
        )
        # Without an encryption key the messages are plain, as the runner allows.
        return JSONResponse(
            {
                "sessionId": session.id,
                "ownerName": wish.get("ownerName"),
                "agent": {**described, "id": registration.id, "name": registration.name},
                "useFipsEncryption": False,
            }
        )

    async def _delete_session(self, request: Request) -> Response:
        self._site.world.runners.close_session(self._runner(request), now=self._site.clock())
        self._site.settle()
        return Response(status_code=200)

    async def _message(self, request: Request) -> Response:
        registration = self._runner(request)
        session = self._site.world.runners.session_of(registration, request.query_params.get("sessionId", ""))
        wants_work = request.query_params.get("status", "Online").casefold() == "online"
        await self._hold(request, registration, session, wants_work=wants_work)
        if registration.state is RegistrationState.DELETED:
            raise BrokerRefusal(404, "Runner not found", source=BROKER, kind="RunnerNotFound")
        if session.refused:
            message = f"Runner version v{registration.version} is deprecated and cannot receive messages."
            raise BrokerRefusal(403, message, source=BROKER, kind="RunnerVersionTooOld")
        if session.cancellation is not None:
            cancelled, session.cancellation = session.cancellation, None
            return _sent(session, "JobCancellation", {"jobId": cancelled, "timeout": CANCEL_TIMEOUT})
        if wants_work and session.assignment is not None:
            return _sent(session, "RunnerJobRequest", self._job_reference(session.assignment))
        return Response(status_code=202)

    async def _hold(
        self, request: Request, registration: Registration, session: Session, *, wants_work: bool
    ) -> None:
        """Wait until there is something to tell, the client has gone, or the poll has lasted long enough."""
        changed = self._site.begin_waiting(registration)
        session.polls += wants_work
        try:
            self._site.settle()
            if (session.assignment is not None and wants_work) or session.cancellation is not None:
                return
            if registration.state is RegistrationState.DELETED or session.refused or self._site.is_closing:
                return
            waits = {asyncio.ensure_future(changed.wait()), asyncio.ensure_future(disconnection(request))}
            _, pending = await asyncio.wait(waits, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for wait in pending:
                wait.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        finally:
            session.polls -= wants_work
            session.last_seen = self._site.clock()
            self._site.end_waiting(registration, changed)

    def _job_reference(self, request_id: str) -> dict[str, Any]:
        return {
            "id": request_id,
            "runner_request_id": request_id,
            "run_service_url": self._site.links.run_service,
            "billing_owner_id": "stand-in",
            "should_acknowledge": True,
        }

    async def _acknowledge(self, request: Request) -> Response:
        registration = self._runner(request)
        session = self._site.world.runners.session_of(registration, request.query_params.get("sessionId", ""))
        wish = await _json_object(request, source=BROKER)
        if session.assignment is None or session.assignment != wish.get("runnerRequestId"):
            raise BrokerRefusal(404, "Job not found", source=BROKER, kind="AcknowledgeJobNotFound")
        session.assignment = None  # heard; the sixty seconds until it must be acquired go on
        return Response(status_code=200)

    # ── the job ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _acquire_job(self, request: Request) -> Response:
        registration = self._runner(request)
        wish = await _json_object(request)
        now = self._site.clock()
        self._site.settle()
        try:
            job = self._site.world.work.acquire(registration, str(wish.get("jobMessageId")), now=now)
        finally:
            self._site.settle()  # a job that was cancelled under the runner's hands has ended, too
        run = self._site.world.ledger.run_of(job)
        return JSONResponse(self._request_message(job, run, now=now))

    def _request_message(self, job: Job, run: Run, *, now: float) -> dict[str, Any]:
        links, delays = self._site.links, self._site.world.delays
        message = self._job_message(
            job.definition,
            job_id=job.uuid,
            plan_id=job.plan_id,
            timeline_id=job.timeline_id,
            run_service_url=links.run_service,
            access_token=self._site.world.tokens.issue(
                Bearer.JOB, job.uuid, now=now, life_seconds=JOB_TOKEN_SECONDS
            ),
            source=run.source,
            github=run.github,
            log_url=f"{links.log}?job_id={job.uuid}",
        )
        # Ours: the real runner renews every minute; this is that minute in a world that runs faster.
        message["variables"][RENEWAL_VARIABLE] = {"value": str(delays.renewal_seconds)}
        strokes = strokes_in_the_runner(self._site.world.faults)
        if strokes:
            message["variables"][FAULTS_VARIABLE] = {"value": json.dumps(strokes)}
        return message

    async def _renew_job(self, request: Request) -> Response:
        wish = await _json_object(request)
        job_uuid = str(wish.get("jobId"))
        self._require_holder(request, job_uuid)
        self._site.settle()
        until = self._site.world.work.renew(job_uuid, str(wish.get("planId")), now=self._site.clock())
        self._site.settle()
        return JSONResponse({"lockedUntil": moment(until)})

    async def _complete_job(self, request: Request) -> Response:
        wish = await _json_object(request)
        job_uuid = str(wish.get("jobId"))
        self._require_holder(request, job_uuid)
        self._site.settle()
        self._site.world.work.complete(
            job_uuid,
            str(wish.get("planId")),
            conclusion=reported_conclusion(wish.get("conclusion")),
            outputs=reported_outputs(wish.get("outputs")),
            steps=reported_steps(wish.get("stepResults")),
            now=self._site.clock(),
        )
        self._site.settle()
        return Response(status_code=204)

    async def _log(self, request: Request) -> Response:
        """Append text to a job's log. Who knows the job's id may write: only its runner was told."""
        text = (await request.body()).decode("utf-8", "replace")
        try:
            self._site.world.ledger.write_log(request.query_params.get("job_id", ""), text)
        except ControlRefusal as refusal:
            return PlainTextResponse(refusal.message, status_code=refusal.status)
        return Response(status_code=204)


def _sent(session: Session, kind: str, body: dict[str, Any]) -> Response:
    """A TaskAgentMessage; its body is JSON in a text."""
    session.messages += 1
    return JSONResponse({"messageId": session.messages, "messageType": kind, "body": json.dumps(body)})


async def _json_object(request: Request, *, source: str | None = None) -> dict[str, Any]:
    try:
        parsed = await request.json()
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        message = "The body is not a JSON object"
        raise BrokerRefusal(400, message) if source is None else BrokerRefusal(400, message, source=source)
    return parsed


def _family(description: object) -> str | None:
    """`Linux 6.1 …` as GitHub lists it: `Linux`."""
    return str(description).split()[0] if description else None
