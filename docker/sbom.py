"""Writes into the wheel what it carries of others: an SBOM in .dist-info/sboms (PEP 770), in the form of CycloneDX.

The wheel's own requirements are in its metadata, where scanners find them. What only an SBOM can tell are the npm
packages that are built into GraphiQL's page; LICENCES.txt, which is made with that page, lists them.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LICENCES = "app/web/static/built/LICENCES.txt"
HEADING = re.compile(r"^(?P<name>\S+) (?P<version>\d\S*) \((?P<licence>.+)\)$", re.MULTILINE)


class SbomHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        project = cast("Any", self).metadata  # hatchling leaves its type open
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / f"{project.core.name}.cdx.json"
        licences = (Path(self.root) / LICENCES).read_text()
        file.write_text(json.dumps(bill(project.core.name, project.version, licences), indent=1))
        cast("list[str]", build_data["sbom_files"]).append(str(file))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._folder.cleanup()


def bill(name: str, version: str, licences: str) -> dict[str, Any]:
    """The SBOM, without times and random numbers: the same tree gives the same wheel."""
    of_it = f"pkg:pypi/{name}@{version}"
    carried = [_component(**found.groupdict()) for found in HEADING.finditer(licences)]
    references = [component["bom-ref"] for component in carried]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": of_it, "name": name, "version": version, "purl": of_it},
        },
        "components": carried,
        "dependencies": [{"ref": of_it, "dependsOn": references}],
    }


def _component(name: str, version: str, licence: str) -> dict[str, Any]:
    group, _, own = name.rpartition("/")
    purl = f"pkg:npm/{quote(f'{group}/' if group else '')}{quote(own)}@{quote(version)}"
    return {
        "type": "library",
        "bom-ref": purl,
        **({"group": group} if group else {}),
        "name": own,
        "version": version,
        "purl": purl,
        "licenses": [{"expression": licence}],
    }
