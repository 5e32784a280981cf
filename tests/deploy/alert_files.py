"""Write the figures and alerts of the Terraform module as the files that gcloud takes: `python -m tests.deploy.alert_files`.

Those who install without Terraform give these to `gcloud logging metrics create` and `gcloud alpha monitoring policies create`.
"""

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.deploy import tree
from tests.deploy.rest_form import rest
from tests.deploy.terraform_program import SCHEMAS, terraform_in

FOLDER = tree.ROOT / "deploy/alerts"
RUN = "one_instance_is_always_there"
KINDS = {"google_logging_metric": "metrics", "google_monitoring_alert_policy": "policies"}
# What is Terraform's own, is made up by the mock, or comes from gcloud's own flags.
NOT_OURS = frozenset(
    {"id", "project", "name", "conditions.name", "deletion_policy", "notification_channels", "enabled"}
)


def documents(resources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Name of the file below `deploy/alerts` -> its text, of the resources that a `terraform test` has made."""
    schemas = SCHEMAS["hashicorp/google"]["resources"]
    return {
        f"{KINDS[each['type']]}/{each['name']}.json": json.dumps(
            rest(each["values"], schemas[each["type"]], without=NOT_OURS), indent=2
        )
        + "\n"
        for each in resources
        if each["type"] in KINDS
    }


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tf-") as scratch, terraform_in(Path(scratch)) as program:
        made = documents(program.states("modules/scaler")[RUN]["root_module"]["resources"])
    for name, text in made.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
