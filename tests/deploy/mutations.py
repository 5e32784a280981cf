"""Faults that somebody could write into a Terraform file: each is one replacement in one file, and a word of the complaint."""

from dataclasses import dataclass

CELL = "modules/runner_pool/main.tf"
SERVICE = "modules/scaler/main.tf"
ACCESS = "modules/scaler/access.tf"
ALERTS = "modules/scaler/alerts.tf"


@dataclass(frozen=True, slots=True)
class Mutation:
    """`before` stands in `file` (below deploy/terraform) and becomes `after`; a complaint must name `named`.

    `validated`: whether `terraform validate` sees it with a schema alone; the rest only the real provider sees.
    """

    file: str
    before: str
    after: str
    named: str
    validated: bool = True


MUTATIONS = {
    "a wrong argument": Mutation(
        CELL, "deletion_protection = var", "delete_protection = var", "delete_protection"
    ),
    "a wrong argument deep inside": Mutation(
        CELL, "mount_path = volume_mounts.value", "path = volume_mounts.value", "path"
    ),
    "an argument of another level": Mutation(
        CELL, "  template {\n", "  template {\n    location = var.region\n", "location"
    ),
    "an argument that is only told": Mutation(
        CELL, "  labels = {", '  uid = "1"\n  labels = {', "uid", validated=False
    ),
    "a missing argument": Mutation(CELL, "  location            = var.region\n", "", "location"),
    "a missing argument deep inside": Mutation(
        SERVICE, "        secret = google_secret_manager_secret.config.secret_id\n", "", "secret"
    ),
    "a missing block": Mutation(ACCESS, "  replication {\n    auto {}\n  }\n", "", "replication"),
    "a block in the wrong place": Mutation(
        SERVICE,
        "    scaling {\n      min_instance_count = 1\n      max_instance_count = 1\n    }\n\n    containers {\n",
        "    containers {\n      scaling {\n        min_instance_count = 1\n      }\n",
        "scaling",
    ),
    "a block that does not exist": Mutation(
        SERVICE, "  soft_delete_policy {", "  soft_deletion {", "soft_deletion"
    ),
    "a dynamic block that does not exist": Mutation(CELL, 'dynamic "vpc_access"', 'dynamic "vpc"', "vpc"),
    "a block twice": Mutation(
        ALERTS,
        '  metric_descriptor {\n    metric_kind = "DELTA"\n    value_type  = "INT64"\n    unit        = "1"\n  }\n}\n',
        '  metric_descriptor {\n    metric_kind = "DELTA"\n    value_type  = "INT64"\n  }\n\n'
        '  metric_descriptor {\n    metric_kind = "DELTA"\n    value_type  = "INT64"\n  }\n}\n',
        "metric_descriptor",
    ),
    "an argument instead of a block": Mutation(
        SERVICE,
        "  versioning {\n    enabled = false\n  }\n",
        "  versioning = { enabled = false }\n",
        "versioning",
    ),
    "a block instead of an argument": Mutation(CELL, "  labels = {", "  labels {", "labels"),
    "a word for a number": Mutation(
        SERVICE, "period_seconds    = 2\n", 'period_seconds    = "often"\n', "period_seconds"
    ),
    "a word for a number in a dynamic block": Mutation(
        CELL, "period_seconds    = 1\n", 'period_seconds    = "often"\n', "period_seconds", validated=False
    ),
    "a word for a truth": Mutation(
        SERVICE, "cpu_idle          = false", 'cpu_idle          = "never"', "cpu_idle"
    ),
    "a list for a map": Mutation(
        ALERTS,
        'label_extractors = {\n    pool = "EXTRACT(jsonPayload.pool)"\n  }',
        'label_extractors = ["pool"]',
        "label_extractors",
    ),
}
