"""Registrations and sessions of the stand-in GitHub: the pure world, with a clock that the test moves."""

import pytest

from emulator.github.refusals import BrokerRefusal, RestRefusal
from emulator.github.runners import Scope
from tests.emulator_github_world import FakeJob, PureWorld


def test_a_busy_runner_cannot_be_deleted() -> None:
    github = PureWorld(FakeJob(key="build"))
    github.push()
    registration = github.listening()
    github.assign()
    with pytest.raises(RestRefusal) as refused:
        github.world.runners.delete(registration.id, registration.scope, now=github.now)
    assert refused.value.status == 422
    assert "is still running a job" in refused.value.message


def test_a_deleted_registration_is_gone_and_gets_no_job() -> None:
    github = PureWorld(FakeJob(key="build"))
    registration = github.listening()
    github.world.runners.delete(registration.id, registration.scope, now=github.now)
    github.push()
    github.assign()
    assert not registration.is_busy
    with pytest.raises(RestRefusal) as refused:
        github.world.runners.find(registration.id, registration.scope)
    assert refused.value.status == 404
    with pytest.raises(BrokerRefusal) as told:
        github.world.runners.with_id(registration.id)
    assert told.value.body["errorKind"] == "RunnerNotFound"


def test_a_registration_that_never_connected_stays_offline_until_it_is_deleted() -> None:
    github = PureWorld()
    registration = github.register()
    github.pass_time(23 * 3600)
    assert list(github.world.runners.every()) == [registration]
    assert not github.world.runners.is_online(registration, now=github.now)


def test_a_second_session_is_refused_until_the_first_has_been_silent_for_long() -> None:
    github = PureWorld()
    registration = github.listening()
    assert registration.session is not None
    registration.session.polls = 0
    with pytest.raises(BrokerRefusal) as refused:
        github.listen(registration)
    assert refused.value.status == 409
    github.pass_time(github.delays.session_silence_seconds)
    github.listen(registration)


def test_a_name_is_taken_until_its_registration_ends() -> None:
    github = PureWorld(FakeJob(key="build"))
    registration = github.register("runner")
    with pytest.raises(RestRefusal) as refused:
        github.register("runner")
    assert refused.value.status == 409
    github.register("runner", scope=Scope(organization="acme", repository="widgets"))
    github.world.runners.delete(registration.id, registration.scope, now=github.now)
    assert github.register("runner").id > registration.id
