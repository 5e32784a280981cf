"""Write the figures and alerts of the Terraform module as the files that gcloud takes: `python -m tests.deploy.alert_files`.

Those who install without Terraform give these to `gcloud logging metrics create` and `gcloud monitoring policies create`.
"""

import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.deploy import tree
from tests.deploy.terraform_program import terraform_in

FOLDER = tree.ROOT / "deploy/alerts"
RUN = "one_instance_is_always_there"
# What the API fills in itself, or gcloud adds from its own flags.
_MADE_BY_OTHERS = {"id", "project", "creation_record", "user_labels", "notification_channels", "enabled"}
_MADE_BY_OTHERS |= {"name", "deletion_policy", "timeouts", "bucket_name", "disabled"}


def documents(resources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Name of the file below `deploy/alerts` -> its text, of the resources that a `terraform test` has made."""
    kinds = {"google_logging_metric": "metrics", "google_monitoring_alert_policy": "policies"}
    return {
        f"{kinds[each['type']]}/{each['name']}.json": json.dumps(_rest(each["values"]), indent=2) + "\n"
        for each in resources
        if each["type"] in kinds
    }


def _rest(value: Any) -> Any:
    """A value of Terraform's as the REST API has it: camel case, no empty members, blocks that cannot repeat unwrapped."""
    if isinstance(value, list):
        return [_rest(each) for each in value]
    if not isinstance(value, dict):
        return value
    said = {
        name: member
        for name, member in value.items()
        if member not in (None, [], {}) and name not in _MADE_BY_OTHERS
    }
    return {_camel(name): _member(name, member) for name, member in sorted(said.items())}


def _member(name: str, value: Any) -> Any:
    single = name in {
        "condition_threshold",
        "condition_absent",
        "documentation",
        "metric_descriptor",
        "bucket_options",
    }
    if name == "label_extractors":
        return value
    return _rest(value[0]) if single else _rest(value)


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tf-") as scratch, terraform_in(Path(scratch)) as program:
        made = documents(program.states("modules/scaler")[RUN]["root_module"]["resources"])
    for name, text in made.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
