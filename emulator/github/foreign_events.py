"""An event of ours told as if it had happened in a repository and an organization that are not ours. Pure."""

from dataclasses import replace
from typing import Final

from emulator.github.accounts import Installation, Organization
from emulator.github.jobs import JobEvent

LOGIN: Final = "somebody-else"
REPOSITORY: Final = "gadgets"
NUMBER_OFFSET: Final = 900_000  # beyond every number of ours, below every run's and job's


def foreign_event(event: JobEvent, ours: Organization) -> tuple[JobEvent, Organization]:
    """The event and its organization; the job has another id, and the installation of the App is another one too."""
    installation = ours.installation
    number = ours.id + NUMBER_OFFSET
    theirs = Organization(
        id=number,
        login=LOGIN,
        created_at=ours.created_at,
        installation=Installation(
            id=installation.id + NUMBER_OFFSET,
            app=installation.app,
            organization=LOGIN,
            organization_id=number,
            created_at=ours.created_at,
        ),
    )
    own = event.run.repository
    repository = replace(own, id=own.id + NUMBER_OFFSET, owner=LOGIN, owner_id=number, name=REPOSITORY)
    job = replace(event.job, id=event.job.id + NUMBER_OFFSET, run_id=event.run.id + NUMBER_OFFSET)
    run = replace(event.run, id=job.run_id, repository=repository)
    return JobEvent(action=event.action, job=job, run=run), theirs
