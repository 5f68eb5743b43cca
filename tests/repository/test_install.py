"""What is installed: by pip from the checkout, and by the two locks."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from tests import ROOT

LOCK, RUNTIME = ROOT / "requirements.lock", ROOT / "requirements-runtime.lock"


def pins(lock: Path) -> dict[str, str]:
    """The version of each package of a lock."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(), re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    """The normalised names of requirements."""
    found = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
    return {match[0].lower().replace("_", "-") for match in found if match}


def test_the_wheel_has_the_command_and_the_data(tmp_path: Path) -> None:
    """Every file of the packages and of the simulated fal is in it; `falhook` is its script."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        [script] = [name for name in packed if name.endswith("scripts/falhook")]
        # The line that installers replace by the path of their Python.
        assert archive.read(script).startswith(b"#!python\n")
        assert 0o111 == archive.getinfo(script).external_attr >> 16 & 0o111
    places = ("webhook", "worker", "api", "infra/local/fal")
    files = [path for package in places for path in (ROOT / package).rglob("*")]
    data = {str(p.relative_to(ROOT)) for p in files if p.is_file() and "__pycache__" not in p.parts}
    assert {"worker/jobs/transition.lua", "worker/catalogue/data/kling.toml"} <= data
    assert set() == {*data, "infra/README.md"} - packed


def test_the_runtime_lock_is_a_part_of_the_full_one() -> None:
    """It has the same versions, every dependency of the product, and no tool of tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    full, runtime = pins(LOCK), pins(RUNTIME)
    assert {} == {name: pin for name, pin in runtime.items() if full.get(name) != pin}
    assert set() == names(project["dependencies"] + extras["provenance"]) - set(runtime)
    assert set() == names(extras["dev"] + extras["local"]) & set(runtime)
