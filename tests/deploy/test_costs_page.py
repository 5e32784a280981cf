"""The pages say of each resource why it exists, what it may do and what it costs, and of each alert what to do."""

import re

from tests.deploy import tree

HOW_TO = tree.ROOT / "docs/how-to"
COSTS = (HOW_TO / "costs.md").read_text()
ALERTS = (HOW_TO / "alerts.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in COSTS.splitlines()
    if re.match(r"\| `(module\.|google_|data\.)", line)
]


def test_each_resource_of_the_minimal_example_has_its_row_and_no_other_has() -> None:
    example = tree.folder("examples/minimal")
    addresses = [each.address for each in example.resources]
    for call, body in example.modules.items():
        source = tree.text(body["source"]).removeprefix("../../")
        addresses += [f"module.{call}.{each.address}" for each in tree.folder(source).resources]
    assert sorted(row[0].strip("` ") for row in ROWS) == sorted(addresses)


def test_each_row_answers_all_three_questions() -> None:
    for row in ROWS:
        assert len(row) == 4, row
        assert all(len(answer) > 3 for answer in row[1:]), row


def test_the_scalers_price_is_that_of_its_machine() -> None:
    variables = tree.folder("modules/scaler").variables
    assert (variables["cpu"]["default"], tree.text(variables["memory"]["default"])) == (1, "512Mi")
    month = 2_628_000
    cpu, memory = 0.000018 * month, 0.5 * 0.000002 * month
    assert f"{cpu:.2f} for 1 vCPU" in COSTS
    assert f"{memory:.2f} for 512 MiB" in COSTS
    assert "| the scaler, always there | about 50 |" in COSTS
    assert round(cpu + memory) == 50


def test_the_price_of_an_instance_is_that_of_the_examples_machine() -> None:
    cells = tree.folder("examples/minimal").modules["linux"]
    assert (cells["cpu"], tree.text(cells["memory"])) == (2, "4Gi")
    hour = 3600 * (2 * 0.000011244 + 4 * 0.000001235)
    assert COSTS.count(f"{hour:.4f} an hour") == 2


def test_the_conditions_that_alerting_is_billed_by_are_those_of_the_module() -> None:
    words = {1: "one condition", 2: "two conditions"}
    for policy in tree.folder("modules/scaler").resources:
        if policy.type == "google_monitoring_alert_policy":
            (row,) = [
                row
                for row in ROWS
                if row[0].strip("` ").endswith(f".{policy.name}") and "alert_policy" in row[0]
            ]
            assert row[3].startswith(words[len(tree.blocks(policy.body, "conditions"))]), row


def test_the_figures_of_the_requests_log_are_those_of_a_call_every_twenty_seconds() -> None:
    for instances, lines, gib, dollars in ((40, "5 million", 5, "nothing"), (900, "118 million", 113, "31")):
        calls = instances * 2_628_000 / 20
        assert round(calls / 1e6) == int(lines.split()[0])
        assert round(calls * 1024 / 2**30) == gib
        price = max(0.0, calls * 1024 / 2**30 - 50) * 0.50
        assert (f"{price:.0f}" if price else "nothing") == dollars
        assert f"| {instances} | {lines} | {gib} | {dollars} |" in COSTS


def test_each_alert_has_its_heading_and_its_text_names_it() -> None:
    headings = {heading.lower() for heading in re.findall(r"^## (.*)$", ALERTS, re.MULTILINE)}
    policies = [
        each
        for each in tree.folder("modules/scaler").resources
        if each.type == "google_monitoring_alert_policy"
    ]
    assert len(policies) == 6
    for policy in policies:
        (documentation,) = tree.blocks(policy.body, "documentation")
        named = re.search(r'\\"(.*)\\"\.', documentation["content"])
        assert named is not None, policy.address
        assert named[1] in headings
        assert tree.text(policy.body["display_name"]).endswith(f": {named[1]}")


def test_the_times_of_the_page_are_the_modules_defaults() -> None:
    said = str(tree.folder("modules/scaler").variables["alert_after"]["type"])
    for name, seconds, told in (
        ("queued", 900, "15 minutes"),
        ("missing", 900, "15 minutes"),
        ("silent", 300, "5 minutes"),
    ):
        assert re.search(rf"{name}\W+optional\(number, {seconds}\)", said), said
        assert re.search(rf"{told}\* \(`alert_after\.{name}`\)|{told}.*\(`alert_after\.{name}`\)", ALERTS)
