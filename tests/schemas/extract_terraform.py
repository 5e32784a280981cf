"""Cut the Terraform providers' published schemas down to what `deploy/` uses: `python -m tests.schemas.extract_terraform`.

Terraform's own registry serves programs, not descriptions. The bindings named below are generated from the providers'
schemas and say of each argument whether it is required, whether it is a block, how a block repeats, and its type. They are
fetched with the plain pip client into a temporary folder. Only these facts are kept; prose is dropped.
"""

import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.schemas.extract import ExtractionError

LICENCE: Final = "MPL-2.0"
OUTPUT: Final = Path(__file__).with_name("terraform.json")
TYPES: Final = {
    "string": "string",
    "number": "number",
    "boolean": "bool",
    "stringList": ["list", "string"],
    "stringMap": ["map", "string"],
    "numberList": ["list", "number"],
}
GETTERS: Final = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "StringMap": ["map", "string"],
    "NumberList": ["list", "number"],
}


@dataclass(frozen=True, slots=True)
class Bindings:
    """One package of generated bindings: its version, the provider's version in it, and the classes to keep."""

    package: str
    version: str
    provider: str
    provider_version: str
    resources: tuple[str, ...]
    data_sources: tuple[str, ...] = ()


SOURCES: Final = (
    Bindings(
        "cdktn-provider-google",
        "21.1.0",
        "hashicorp/google",
        "8.7.0",
        (
            "google_artifact_registry_repository",
            "google_cloud_run_v2_service",
            "google_cloud_run_v2_worker_pool",
            "google_cloud_scheduler_job",
            "google_logging_metric",
            "google_monitoring_alert_policy",
            "google_monitoring_notification_channel",
            "google_project_iam_custom_role",
            "google_project_iam_member",
            "google_project_service",
            "google_secret_manager_secret",
            "google_secret_manager_secret_iam_member",
            "google_secret_manager_secret_version",
            "google_service_account",
            "google_service_account_iam_member",
            "google_storage_bucket",
            "google_storage_bucket_iam_member",
        ),
        ("google_project",),
    ),
    Bindings("cdktn-provider-random", "15.0.1", "hashicorp/random", "3.9.1", ("random_password",)),
)

_FLAGS = re.compile(r"// (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n(?=((?:.*\n){0,6}))")
_ENTRY = re.compile(
    r"^ {8}(?:    )?(\w+): \{\n +value: (.*?),\n +isBlock: (\w+),\n +type: \"(\w+)\",\n +storageClassType: \"(\w+)\"",
    re.MULTILINE | re.DOTALL,
)


class Module:
    """The generated source of one resource, cut into its classes and its functions."""

    def __init__(self, source: str) -> None:
        self.classes = {
            found[1]: found[0]
            for found in re.finditer(r"^class (\w+) extends.*?^\}", source, re.MULTILINE | re.DOTALL)
        }
        self.functions = {
            found[1]: found[0]
            for found in re.finditer(r"^function (\w+)\(struct\).*?^\}", source, re.MULTILINE | re.DOTALL)
        }

    def resource(self, name: str) -> dict[str, Any]:
        """The block of the one class that is a resource or a data source."""
        roots = [
            body for body in self.classes.values() if re.search(r"extends cdktn\.Terraform\w+ \{", body[:200])
        ]
        if len(roots) != 1:
            raise ExtractionError(
                f"{name}: {len(roots)} resources in its module; look for the new form of the package"
            )
        synthesis = roots[0].partition("synthesizeHclAttributes()")[2]
        return self.block(roots[0], synthesis)

    def block(self, reading: str, writing: str) -> dict[str, Any]:
        """The arguments, exported attributes and blocks: `reading` is a class, `writing` is what makes HCL of one."""
        written = {found[1]: found.groups()[1:] for found in _ENTRY.finditer(writing)}
        result: dict[str, Any] = {"attributes": {}, "blocks": {}}
        for name, computed, optional, required, after in _FLAGS.findall(reading):
            value, is_block, nesting, storage = written.get(name, ("", "false", "", ""))
            flags = [
                word for word, said in (("computed", computed), ("optional", optional)) if said == "true"
            ]
            if required == "true":
                flags = ["required"]
            if is_block == "true":
                result["blocks"][name] = self._nested(value, nesting, required == "true")
            else:
                kind = TYPES.get(storage) or self._read_type(reading, name, after)
                result["attributes"][name] = {"type": kind, "is": flags}
        untold = written.keys() - result["attributes"].keys() - result["blocks"].keys()
        if untold:
            raise ExtractionError(
                f"{sorted(untold)} can be written but not read; look for the new form of the package"
            )
        return result

    def _nested(self, value: str, nesting: str, required: bool) -> dict[str, Any]:
        function = re.findall(r"(\w+ToHclTerraform)", value)
        if len(function) != 1:
            raise ExtractionError(f"a block is written by {value!r}; teach this program about it")
        stem = function[0].removesuffix("ToHclTerraform")
        reading = self.classes[f"{stem[0].upper()}{stem[1:]}OutputReference"]
        many = value.startswith("cdktn.listMapperHcl")
        return {
            "nesting": "single" if nesting == "struct" else ("set" if nesting == "set" else "list"),
            "most": None if many else 1,
            "least": 1 if required else 0,
            "block": self.block(reading, self.functions[function[0]]),
        }

    def _read_type(self, reading: str, name: str, after: str) -> Any:
        getter = re.search(rf"get(\w+)Attribute\('{name}'\)", after)
        if getter:
            return GETTERS[getter[1]]
        made = re.search(rf'new (?:cdktn\.)?(\w+)\(this, "{name}"', reading)
        if made is None:
            raise ExtractionError(f"no type is told for {name}; look for the new form of the package")
        if made[1] in {"StringMap", "BooleanMap", "NumberMap"}:
            return ["map", {"StringMap": "string", "BooleanMap": "bool", "NumberMap": "number"}[made[1]]]
        stem = made[1].removesuffix("List").removesuffix("OutputReference").removesuffix("Map")
        nested = self.block(self.classes[f"{stem}OutputReference"], "")
        members = {key: said["type"] for key, said in nested["attributes"].items()}
        return ["list", ["object", members]]


def fetch(bindings: Bindings, folder: Path) -> tarfile.TarFile:
    """The generated sources of one package. Raises `ExtractionError` when pip cannot deliver it or it is another one."""
    wanted = f"{bindings.package}=={bindings.version}"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), wanted],
        check=False,
    )
    wheels = list(folder.glob(f"{bindings.package.replace('-', '_')}-*.whl"))
    if done.returncode or len(wheels) != 1:
        raise ExtractionError(
            f"pip could not fetch {wanted} (exit {done.returncode}); its message stands above"
        )
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = wheel.namelist()
        about = wheel.read(next(name for name in names if name.endswith(".dist-info/METADATA"))).decode()
        inner = wheel.read(next(name for name in names if name.endswith(".jsii.tgz")))
    said = re.search(r"provider version ([\d.]+)", about)
    if f"License: {LICENCE}" not in about or said is None or said[1] != bindings.provider_version:
        raise ExtractionError(
            f"{wanted} describes version {said and said[1]} of its provider, {bindings.provider_version} under {LICENCE} "
            "was expected; correct the constants here after reading the licence"
        )
    return tarfile.open(fileobj=io.BytesIO(inner), mode="r:gz")


def extracted(bindings: Bindings, archive: tarfile.TarFile) -> dict[str, dict[str, Any]]:
    """The schemas of the resources and data sources that are kept."""
    prefix = bindings.provider.split("/")[1] + "_"
    folders = {name.removeprefix(prefix).replace("_", "-"): name for name in bindings.resources}
    sources = {"data-" + name.replace("_", "-"): name for name in bindings.data_sources}
    found: dict[str, dict[str, Any]] = {"resources": {}, "data_sources": {}}
    for member in archive:
        parts = member.name.split("/")
        if len(parts) != 4 or parts[1] != "lib" or parts[3] != "index.js":
            continue
        kind, name = (
            ("resources", folders.get(parts[2]))
            if parts[2] in folders
            else ("data_sources", sources.get(parts[2]))
        )
        stream = archive.extractfile(member) if name else None
        if name and stream:
            found[kind][name] = Module(stream.read().decode()).resource(name)
    missing = {*bindings.resources, *bindings.data_sources} - {*found["resources"], *found["data_sources"]}
    if missing:
        raise ExtractionError(f"{bindings.package} has no {', '.join(sorted(missing))}")
    return found


def main() -> int:
    result: dict[str, Any] = {"about": {"made_by": "make schemas", "license": LICENCE}, "providers": {}}
    try:
        for bindings in SOURCES:
            with (
                tempfile.TemporaryDirectory(prefix="terraform-schemas-") as folder,
                fetch(bindings, Path(folder)) as archive,
            ):
                found = extracted(bindings, archive)
            result["providers"][bindings.provider] = {
                "version": bindings.provider_version,
                "source": f"package {bindings.package} {bindings.version}",
                **found,
            }
    except ExtractionError as error:
        print(f"schemas: {error}", file=sys.stderr)
        return 1
    OUTPUT.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"schemas: {sum(len(each.resources) for each in SOURCES)} Terraform resources written to {OUTPUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
