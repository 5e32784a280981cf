"""Who may do what: the runners' account nothing, the scaler what it needs and no more, and no state or output holds a key."""

import json
import re

import pytest

from tests.deploy import tree

MODULE = tree.folder("modules/runner_pool")
SCALER = tree.folder("modules/scaler")
EVERYTHING = [(path, each) for path in tree.FOLDERS for each in tree.folder(path).resources]
GRANTS = [(path, each) for path, each in EVERYTHING if re.search(r"_iam_(member|binding|policy)$", each.type)]
RUNNERS = re.compile(
    r"google_service_account\.runners|module\.(?!scaler\b)\w+(\[[^]]*\])?\.account|output\.account"
)


def test_a_cell_ignores_every_later_change_and_is_protected() -> None:
    (lifecycle,) = tree.blocks(MODULE.one("google_cloud_run_v2_worker_pool.cell").body, "lifecycle")
    assert lifecycle["ignore_changes"] == "all"
    assert MODULE.one("google_cloud_run_v2_worker_pool.cell").body["deletion_protection"] == (
        "${var.deletion_protection}"
    )
    assert MODULE.variables["deletion_protection"]["default"] is True


def test_a_secret_of_a_cell_cannot_be_guessed_and_is_never_made_anew() -> None:
    secret = MODULE.one("random_password.cell_secret").body
    (lifecycle,) = tree.blocks(secret, "lifecycle")
    assert lifecycle["ignore_changes"] == "all"
    assert secret["length"] >= 43  # 256 bits of letters and digits


@pytest.mark.parametrize(("path", "grant"), GRANTS, ids=[f"{path}:{each.address}" for path, each in GRANTS])
def test_no_grant_makes_the_runners_account_a_member(path: str, grant: tree.Resource) -> None:
    member = str(grant.body.get("member", grant.body.get("members", "")))
    assert member, "a policy as a whole can name anybody; grant members one by one"
    if path == "modules/runner_pool":
        assert member == '"serviceAccount:${var.scaler_account}"'
    assert not RUNNERS.search(member)


@pytest.mark.parametrize(
    "member",
    [
        '"serviceAccount:${google_service_account.runners.email}"',
        "google_service_account.runners.member",
        '"serviceAccount:${module.linux[0].account}"',
        '"serviceAccount:${module.gpu.account}"',
    ],
)
def test_a_role_for_the_runners_would_be_seen(member: str) -> None:
    (grant,) = tree.parsed(f'resource "google_project_iam_member" "x" {{ member = {member} }}').resources
    assert RUNNERS.search(str(grant.body["member"]))


def test_the_grants_are_these_and_no_others() -> None:
    assert {(each.address, tree.text(each.body["role"])) for _, each in GRANTS} == {
        ("google_project_iam_member.scaler", "${google_project_iam_custom_role.scaler.name}"),
        ("google_storage_bucket_iam_member.scaler", "roles/storage.objectUser"),
        ("google_secret_manager_secret_iam_member.scaler", "roles/secretmanager.secretAccessor"),
        ("google_service_account_iam_member.scaler_acts_as_runners", "roles/iam.serviceAccountUser"),
    }


def test_only_the_custom_role_holds_in_the_whole_project_and_it_has_four_permissions() -> None:
    role = SCALER.one("google_project_iam_custom_role.scaler")
    assert [tree.text(each) for each in role.body["permissions"]] == [
        "run.operations.get",
        "run.workerpools.get",
        "run.workerpools.list",
        "run.workerpools.update",
    ]


def test_the_clock_and_the_runners_get_no_grant() -> None:
    assert not any("google_service_account.clock" in json.dumps(each.body) for _, each in GRANTS)


def test_terraform_holds_no_value_of_a_secret_but_the_configuration_and_the_cells() -> None:
    versions = [each.address for _, each in EVERYTHING if each.type == "google_secret_manager_secret_version"]
    made = [each.address for _, each in EVERYTHING if each.type.startswith("random_")]
    assert (versions, made) == (
        ["google_secret_manager_secret_version.config"],
        ["random_password.cell_secret"],
    )


def test_only_the_template_of_its_cell_reads_a_cells_secret() -> None:
    readers = [
        each.address for _, each in EVERYTHING if "random_password.cell_secret" in json.dumps(each.body)
    ]
    assert readers == ["google_cloud_run_v2_worker_pool.cell"]
    assert not any(
        "cell_secret" in json.dumps(output) for path in tree.FOLDERS for output in [tree.folder(path).outputs]
    )


def test_no_key_of_a_service_account_is_made() -> None:
    assert not any(each.type == "google_service_account_key" for _, each in EVERYTHING)


@pytest.mark.parametrize("path", tree.FOLDERS)
def test_every_input_and_output_says_what_it_is(path: str) -> None:
    for name, body in {**tree.folder(path).variables, **tree.folder(path).outputs}.items():
        assert len(tree.text(body.get("description", ""))) > 15, name


@pytest.mark.parametrize("path", tree.FOLDERS)
def test_every_refusal_is_a_sentence(path: str) -> None:
    for name, body in tree.folder(path).variables.items():
        for validation in tree.blocks(body, "validation"):
            message = tree.text(validation["error_message"])
            assert len(message) > 25, name
            assert message.endswith("."), name
