"""The examples of docs/api.md, each run as it is printed against a whole stack."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from infra.local.stack import stack
from tests import ROOT

# The language of a block, the program that runs it, and the file that it is written to.
RUNTIMES = {
    "sh": ("bash", "example.sh"),
    "python": (sys.executable, "example.py"),
    "js": ("node", "example.mjs"),
    "go": ("go", "example.go"),
}
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    (language, code)
    for language, code in _BLOCK.findall((ROOT / "docs" / "api.md").read_text())
    if language in RUNTIMES
]


@pytest.fixture(scope="module")
def settings(
    tmp_path_factory: pytest.TempPathFactory, media_cache: Path
) -> Iterator[Mapping[str, str]]:
    """The environment that `make local` writes for other shells."""
    directory = tmp_path_factory.mktemp("stack")
    environ = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    fal = ("--render-seconds", "0.5", "--media-cache", str(media_cache))
    with stack(directory, lambda _name, _line: None, environ=environ, fal_options=fal) as running:
        yield running.settings


def test_every_language_has_an_example() -> None:
    """curl, Python, Node and Go are shown."""
    assert RUNTIMES.keys() == {language for language, _ in EXAMPLES}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("language", "code"), EXAMPLES)
def test_an_example_works(
    settings: Mapping[str, str], tmp_path: Path, language: str, code: str
) -> None:
    """It ends without an error; those that wait for the job print that it is published."""
    program, name = RUNTIMES[language]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    (tmp_path / name).write_text(code)
    run = ["run", name] if program == "go" else [name]
    done = subprocess.run(
        [program, *run],
        cwd=tmp_path,
        env={**os.environ, **settings, "GOCACHE": str(tmp_path / "go"), "GO111MODULE": "off"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "PUBLISHED" in done.stdout or "/v1/events" in code
