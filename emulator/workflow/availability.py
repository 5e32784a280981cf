"""Which contexts and functions may be used where in a workflow file.

https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#context-availability
"""

from dataclasses import dataclass

from emulator.workflow.functions import HASH_FILES, STATUS_FUNCTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """The contexts and extra functions of one kind of place."""

    contexts: frozenset[str]
    functions: frozenset[str] = frozenset()


_RUN = frozenset({"github", "inputs", "vars"})
_JOB = _RUN | {"needs"}
_INSTANCE = _JOB | {"strategy", "matrix"}
_STEP = _INSTANCE | {"secrets", "steps", "job", "runner", "env"}

RUN_NAME = Availability(contexts=_RUN)
WORKFLOW_ENV = Availability(contexts=_RUN | {"secrets"})
JOB_IF = Availability(contexts=_JOB, functions=STATUS_FUNCTIONS)
STRATEGY = Availability(contexts=_JOB)
JOB = Availability(contexts=_INSTANCE)
JOB_ENV = Availability(contexts=_INSTANCE | {"secrets"})
JOB_DEFAULTS = Availability(contexts=_INSTANCE | {"env"})
STEP = Availability(contexts=_STEP, functions=frozenset({HASH_FILES}))
STEP_IF = Availability(contexts=_STEP - {"secrets"}, functions=STATUS_FUNCTIONS | {HASH_FILES})
JOB_OUTPUT = Availability(contexts=_STEP)
