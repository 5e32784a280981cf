"""What a wrong configuration is told, word for word: file, line, key, what was given, remedy."""

from pathlib import Path

import pytest

from scaler.config import load_config
from scaler.errors import ConfigError
from tests.config_text import SMALLEST, config_from, replaced, told

DURATION = "Write a number with a unit, such as 30s, 5m, 6h, 1h30m or 250ms."


def plus(section: str, lines: str) -> str:
    """The smallest configuration with lines added to a section."""
    return SMALLEST.replace(f"{section}:\n", f"{section}:\n{lines}\n", 1)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            replaced("    max: 3", "    maxx: 3\n    max: 3"),
            "rp.yaml:15: pools[0].maxx: there is no such key. Did you mean max?",
        ),
        (
            plus("service", "  callres: []"),
            "rp.yaml:11: service.callres: there is no such key. Did you mean callers?",
        ),
        (
            plus("service", "  zebra: 1"),
            (
                "rp.yaml:11: service.zebra: there is no such key. Keys that may stand here: "
                "host, port, url, callers, token_keys_url, token_issuer."
            ),
        ),
        (
            replaced("  app_id: Iv23abc\n", ""),
            "rp.yaml:2: github.app_id: the key is missing. Add it. The GitHub App's client id (recommended) or App id.",
        ),
        (
            replaced("records: sqlite:/tmp/records.db\n", ""),
            (
                "rp.yaml:1: records: the key is missing. Add it. Where the cells' records stand: "
                "`gs://BUCKET/FOLDER` on Google Cloud; for one machine `sqlite:/path/records.db` (also written `sqlite:///path/records.db`)."
            ),
        ),
        (
            replaced("    max: 3", "    max: 3\n    max: 4"),
            (
                "rp.yaml:16: pools[0].max: the key stands twice (first in line 15). "
                "Keep one of them; YAML readers would silently drop the other."
            ),
        ),
        (
            replaced("max: 3", 'max: "3"'),
            "rp.yaml:15: pools[0].max: it should be a whole number (given: '3'). Write digits without quotes.",
        ),
        (
            replaced("max: 3", "max: yes"),
            "rp.yaml:15: pools[0].max: it should be a whole number (given: 'True'). Write digits without quotes.",
        ),
        (
            replaced("max: 3", "max:"),
            "rp.yaml:15: pools[0].max: it should be a whole number (given: nothing). Write digits without quotes.",
        ),
        (
            replaced("max: 3", "max: 0"),
            (
                "rp.yaml:15: pools[0].max: it must be at least 1 (given: '0'). "
                "See the limits in the reference."
            ),
        ),
        (
            replaced("[self-hosted, linux]", "[self-hosted, on]"),
            (
                "rp.yaml:14: pools[0].labels[1]: it should be a text (given: 'True'). Put it in quotes: "
                "YAML reads plain numbers, dates, yes/no and true/false as something else than text."
            ),
        ),
        (
            replaced("[self-hosted, linux]", "linux"),
            "rp.yaml:14: pools[0].labels: it should be a list (given: 'linux'). Write [a, b], or one line with - per entry.",
        ),
        (
            replaced("[self-hosted, linux]", "[]"),
            ("rp.yaml:14: pools[0].labels: it is empty (given: a list). Give at least one value."),
        ),
        (
            replaced("[self-hosted, linux]", "[linux, Linux]"),
            (
                "rp.yaml:14: pools[0].labels: linux stands more than once (upper and lower case are the same) "
                "(given: a list). Keep one of each."
            ),
        ),
        (
            replaced("[self-hosted, linux]", '["self-hosted,linux"]'),
            (
                "rp.yaml:14: pools[0].labels[0]: it cannot be a runner's label (given: 'self-hosted,linux'). "
                "Write the label as in runs-on, without commas."
            ),
        ),
        (
            replaced("    max: 3", "    max: 3\n    job_timeout: 360"),
            f"rp.yaml:16: pools[0].job_timeout: it has no unit (given: '360'). {DURATION}",
        ),
        (
            replaced("    max: 3", "    max: 3\n    job_timeout: 6 hours"),
            f"rp.yaml:16: pools[0].job_timeout: it is not a duration (given: '6 hours'). {DURATION}",
        ),
        (
            replaced("    max: 3", "    max: 3\n    job_timeout: 0s"),
            f"rp.yaml:16: pools[0].job_timeout: it must be longer than nothing (given: '0s'). {DURATION}",
        ),
        (
            replaced("    max: 3", "    max: 3\n    min: 4"),
            "rp.yaml:16: pools[0].min: min 4 is more than max 3. Lower min or raise max.",
        ),
        (
            replaced("    max: 3", "    max: 3\n  - {name: linux, labels: [x], max: 1}"),
            "rp.yaml:12: pools: 2 pools have the name linux. Give each pool its own name.",
        ),
        (
            SMALLEST + "    min: 3\nmax_instances: 2\n",
            (
                "rp.yaml:17: max_instances: the pools' min add up to 3, more than max_instances 2. "
                "Lower a min or raise max_instances."
            ),
        ),
        (
            plus("github", "  repository: acme/widgets"),
            "rp.yaml:6: github.organization: organization and repository: both are set. Set exactly one of the two.",
        ),
        (
            replaced("  organization: acme\n", ""),
            "rp.yaml:2: github.organization: organization and repository: neither is set. Set exactly one of the two.",
        ),
        (
            plus("github", "  repositories: [acme/widgets, other/thing]"),
            (
                "rp.yaml:3: github.repositories: other/thing does not belong to organization acme. "
                "List repositories of that organization only."
            ),
        ),
        (
            replaced("organization: acme", "repository: acme/widgets") + "    runner_group: 5\n",
            (
                "rp.yaml:16: pools[0].runner_group: runner_group is 5, but github.repository has no groups. "
                "Remove runner_group: groups exist in organizations only."
            ),
        ),
        (
            replaced("  url: https://scaler.example.com", "  port: 80"),
            "rp.yaml:10: service: mode: leased without service.url. Set service.url to the URL that the instances reach.",
        ),
        (
            replaced("https://scaler.example.com", "http://scaler.example.com"),
            (
                "rp.yaml:11: service.url: tokens would travel unencrypted (given: 'http://scaler.example.com'). "
                "Write https://; http:// is for loopback addresses only."
            ),
        ),
        (
            plus("cloud_run", "  credentials: anonymous"),
            (
                "rp.yaml:7: cloud_run.credentials: credentials: anonymous with endpoint https://run.googleapis.com. "
                "Google answers nobody; use application-default."
            ),
        ),
        (
            SMALLEST + "mode: lease\n",
            ("rp.yaml:16: mode: it is none of the choices (given: 'lease'). Write one of: leased or direct."),
        ),
        (
            SMALLEST + "times:\n  heartbeat: 5s\n  settle: 70s\n",
            (
                "rp.yaml:18: times.settle: settle is 1m10s, but calls of instances that are gone may come for twice 35s. "
                "Write more than 1m10s."
            ),
        ),
        (
            SMALLEST + "times:\n  long_poll: 35s\n",
            (
                "rp.yaml:17: times.long_poll: long_poll is 35s, but an instance waits 35s for its answer. "
                "Write less than 35s; what an instance waits is built into the agent."
            ),
        ),
        (
            SMALLEST + "times:\n  jit_call: 30s\n",
            (
                "rp.yaml:17: times.jit_call: jit_call is 30s, but an instance uses no registration that comes after 30s. "
                "Write less than 30s; what an instance waits is built into the agent."
            ),
        ),
        (
            SMALLEST + "times:\n  heartbeat: 24s\n",
            (
                "rp.yaml:16: times.settle: settle > 3 x heartbeat + stop_ladder does not hold: "
                "settle is 1m20s, heartbeat is 24s, stop_ladder is 10s. Change one of them; the defaults fit together."
            ),
        ),
        (
            SMALLEST + "times:\n  stop_ladder: 12s\n",
            "rp.yaml:17: times.stop_ladder: stop_ladder is 12s, but Cloud Run kills after 10s. Write 10s or less.",
        ),
    ],
)
def test_each_mistake_is_told_with_its_place_and_remedy(tmp_path: Path, text: str, line: str) -> None:
    assert told(tmp_path, text) == [line]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "rp.yaml: the file is empty. Start from docs/examples/runner-pool.yaml."),
        (
            "# nothing but a comment\n",
            "rp.yaml: the file is empty. Start from docs/examples/runner-pool.yaml.",
        ),
        (
            "- a\n",
            "rp.yaml:1: the file should hold keys and values. docs/examples/runner-pool.yaml shows every key.",
        ),
        (
            "github:\n\tapp_id: x\n",
            "rp.yaml:2: a tab stands where YAML wants spaces. Indent with spaces only.",
        ),
        (
            "pools: [1\nmode: x\n",
            (
                "rp.yaml:2: the file is not YAML: expected ',' or ']', but got ':'. "
                "Look at indentation, colons and quotes in this line and the one above."
            ),
        ),
        (
            "a: 1\n---\nb: 2\n",
            "rp.yaml:2: the file holds more than one document. Keep one document, without a second --- line.",
        ),
        (
            "a: !!python/name:os.system\n",
            "rp.yaml:1: a value cannot be read. Put it in quotes, without a !tag.",
        ),
        ("a: 2026-13-45\n", "rp.yaml:1: a value cannot be read. Put it in quotes, without a !tag."),
        (
            "a: \x00\n",
            "rp.yaml: the file holds characters that YAML does not allow. Save it as plain UTF-8 text.",
        ),
        ("[" * 50_000, "rp.yaml:1: the file is nested deeper than anything here. Flatten it."),
        (
            "a: &x [1]\nb: *x\n",
            (
                "rp.yaml:2: the alias *x is used. "
                "Write the value out: one reader sees then what holds without searching for the anchor."
            ),
        ),
    ],
)
def test_a_file_that_cannot_be_read_as_ours_is_told_so(tmp_path: Path, text: str, line: str) -> None:
    assert told(tmp_path, text) == [line]


def test_all_mistakes_are_told_at_once_in_the_files_order(tmp_path: Path) -> None:
    text = (
        SMALLEST.replace("app_id", "ap_id")
        .replace("max: 3", "max: many")
        .replace("us-central1", "US")
        .replace("acme-ci", "Acme")
    )
    assert [line.split(": ")[1] for line in told(tmp_path, text)] == [
        "deployment", "github.app_id", "github.ap_id", "cloud_run.region", "pools[0].max",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("file:/run/secrets/key", "hunter2-abc"),
        ("file:/run/secrets/key", "file:hunter2-abc"),
        ("file:/run/secrets/key", "env:hunter2-abc"),
        ("file:/run/secrets/key", "secretmanager:hunter2-abc"),
        ("file:/run/secrets/key", "|\n    -----BEGIN RSA PRIVATE KEY-----\n    hunter2-abc"),
        ("file:/run/secrets/key", "[hunter2-abc]"),
        ("  app_id: Iv23abc", "  app_id: Iv23abc\n  token: hunter2-abc"),
        ("Iv23abc", "{ghp_hunter2-abc: 1}"),
        ("region: us-central1", "region: ghp_hunter2-abc"),
        ("Iv23abc", "'hunter2-abc\n"),
    ],
)
def test_a_secret_at_the_wrong_place_is_not_repeated(tmp_path: Path, old: str, new: str) -> None:
    lines = told(tmp_path, replaced(old, new))
    assert lines
    assert not [line for line in lines if "hunter2" in line]


def test_an_inline_secret_is_refused_with_the_ways_that_exist(tmp_path: Path) -> None:
    (line,) = told(tmp_path, replaced("file:/run/secrets/key", "hunter2"))
    assert line == (
        "rp.yaml:4: github.private_key: it is not a reference to a secret, and a secret itself must not stand in this file "
        "(given: not shown). Store the secret elsewhere and write file:/absolute/path, env:VARIABLE or "
        "secretmanager:projects/PROJECT/secrets/NAME/versions/latest."
    )


def test_a_file_that_is_not_there_is_told_without_a_traceback(tmp_path: Path) -> None:
    for path in (tmp_path / "no.yaml", tmp_path):
        with pytest.raises(
            ConfigError, match=r"cannot be read: .*\n  Give the path of the file with --config"
        ):
            load_config(path, {})


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not UTF-8"):
        config_from(tmp_path, b"a: \xff\n")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        config_from(tmp_path, b"#" * 2_000_000)


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "٣", ""])
def test_a_strange_port_of_the_environment_is_told(tmp_path: Path, port: str) -> None:
    (line,) = told(tmp_path, SMALLEST, {"PORT": port})
    assert line.startswith("rp.yaml: service.port: the environment variable PORT is not a port")
