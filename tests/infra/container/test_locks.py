"""What the images install: parts of the locks of the repository, with all that their code uses."""

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests import ROOT
from tests.repository.test_imports import imported, ours

FOLDER = ROOT / "infra" / "container"
# The modules that a process of the image begins with, and all of ours that these load.
BEGINNING = {
    "receiver": "webhook.__main__, webhook.serve, webhook.processes.child",
    "api": "api.__main__",
}
LOADED = """
import json, sys, {beginning}
files = [getattr(module, "__file__", None) for module in sys.modules.values()]
print(json.dumps([file for file in files if file]))
"""


def entries(lock: Path) -> dict[str, str]:
    """Return the entry of each package of a lock, with its version and its hashes."""
    text = re.sub(r"^ *#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    parts = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)
    return {part.partition("==")[0]: re.sub(r" ;[^\\]*", " ", part) for part in parts if part}


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("receiver", "requirements-runtime.lock"),
        ("api", "requirements-runtime.lock"),
        ("build", "requirements.lock"),
    ],
)
def test_a_lock_of_an_image_is_a_part_of_the_whole_one(name: str, whole: str) -> None:
    """Each of its packages has the version and the hashes of the lock of the repository."""
    part, all_of_them = entries(FOLDER / f"{name}.lock"), entries(ROOT / whole)
    assert part
    assert {} == {name: entry for name, entry in part.items() if all_of_them.get(name) != entry}


@pytest.mark.parametrize("name", BEGINNING)
def test_an_image_has_all_that_its_code_imports(name: str) -> None:
    """Whatever the modules of its process import, anywhere in them, is in its lock."""
    distributions = packages_distributions()
    used = {each.partition(".")[0] for path in _loaded(name) for each in imported(path)}
    foreign = {each for each in used if each in distributions and not ours(each)}
    packages = {distributions[each][0].lower().replace("_", "-") for each in foreign}
    assert set() == packages - entries(FOLDER / f"{name}.lock").keys()


@pytest.mark.parametrize("name", BEGINNING)
def test_the_public_images_have_no_media_programs(name: str) -> None:
    """Neither has ffmpeg, nor what signs files."""
    assert set() == {"imageio-ffmpeg", "c2pa-python"} & entries(FOLDER / f"{name}.lock").keys()


def _loaded(name: str) -> list[Path]:
    """Return the files of ours that the process of an image loads."""
    command = [sys.executable, "-c", LOADED.format(beginning=BEGINNING[name])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [Path(file) for file in json.loads(done.stdout)]
    return [file for file in files if file.is_relative_to(ROOT) and ".venv" not in file.parts]
