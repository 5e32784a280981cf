"""What the runner and its steps get to see of our environment. Pure.

https://github.com/actions/runner: run.sh passes signals on only with RUNNER_MANUALLY_TRAP_SIG, and the listener
takes ACTIONS_RUNNER_INPUT_JITCONFIG out of its own environment, so that no step inherits it.
"""

from collections.abc import Collection, Mapping

from runner_agent.account import Account
from runner_agent.settings import OWN_PREFIX


def runner_environment(
    env: Mapping[str, str], *, account: Account, encoded_jit_config: str, secret_names: Collection[str] = ()
) -> dict[str, str]:
    """The runner's environment: ours without anything of the agent's own, and what the runner needs.

    `secret_names`: further variables to withhold, such as the one that holds the App's key.
    """
    kept = {
        name: value
        for name, value in env.items()
        if not name.startswith(OWN_PREFIX) and name not in secret_names
    }
    wanted = {
        "RUNNER_MANUALLY_TRAP_SIG": "1",
        "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE": "1",
        "ACTIONS_RUNNER_INPUT_JITCONFIG": encoded_jit_config,
        "HOME": account.home,
        "USER": account.name,
        "LOGNAME": account.name,
    }
    if account.uid == 0:
        wanted["RUNNER_ALLOW_RUNASROOT"] = (
            "1"  # allowed explicitly, or the agent would not have come this far
        )
    return kept | wanted
