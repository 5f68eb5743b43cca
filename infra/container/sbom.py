"""Print a CycloneDX 1.6 bill of materials of the Python environment and the Debian packages.

`python sbom.py NAME`. It runs in the image that it describes, so it imports only the standard
library. https://cyclonedx.org/docs/1.6/json/
"""

import base64
import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path

DPKG = Path("/var/lib/dpkg/status")
Component = dict[str, object]


def bill(name: str) -> dict[str, object]:
    """Return the bill of the environment that runs this, for an image of this name."""
    python = [_distribution(each) for each in distributions()]
    parts = sorted([*python, *debian(DPKG)], key=lambda part: str(part["bom-ref"]))
    built = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": built.isoformat(),
            "component": {"type": "container", "name": name, "bom-ref": name},
        },
        "components": parts,
        "dependencies": [{"ref": name, "dependsOn": [part["bom-ref"] for part in parts]}],
    }


def _distribution(found: Distribution) -> Component:
    metadata = found.metadata
    name = re.sub(r"[-_.]+", "-", metadata["Name"]).lower()
    purl = f"pkg:pypi/{name}@{found.version}"
    part: Component = {"type": "library", "name": name, "version": found.version}
    part |= {"bom-ref": purl, "purl": purl}
    named = [key for key in ("License-Expression", "License") if key in metadata]
    licence = metadata[named[0]] if named else ""
    if licence and "\n" not in licence:
        part["licenses"] = [{"license": {"name": licence}}]
    if files := [each for each in found.files or () if each.hash and _is_program(each.name)]:
        # Programs and libraries that a wheel brings, such as ffmpeg, each with its checksum.
        part["components"] = [
            {
                "type": "file",
                "name": str(each),
                "bom-ref": f"{purl}#{each}",
                "hashes": [{"alg": "SHA-256", "content": _hexadecimal(each.hash.value)}],
            }
            for each in files
            if each.hash is not None and each.hash.mode == "sha256"
        ]
    return part


def _is_program(name: str) -> bool:
    return bool(re.search(r"\.so(\.|$)", name)) or name.startswith("ffmpeg-")


def _hexadecimal(value: str) -> str:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()


def debian(status: Path) -> Iterator[Component]:
    """Yield the installed packages of a dpkg database; none if there is no such file."""
    if not status.is_file():
        return
    for block in status.read_text().split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", block, re.MULTILINE))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        name, version = fields["Package"], fields["Version"]
        purl = f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}"
        purl += f"?arch={fields['Architecture']}"
        yield {"type": "library", "name": name, "version": version, "bom-ref": purl, "purl": purl}


if __name__ == "__main__":
    json.dump(bill(sys.argv[1]), sys.stdout, indent=1)
    sys.stdout.write("\n")
