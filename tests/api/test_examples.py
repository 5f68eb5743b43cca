"""The examples of README, docs/api.md and /docs, each run as it is printed against a stack."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from api.openapi.examples import EXAMPLES, as_markdown
from tests import ROOT

# The language of a block, the program that runs it, and the file that it is written to.
RUNTIMES = {
    "sh": ("bash", "example.sh"),
    "python": (sys.executable, "example.py"),
    "js": ("node", "example.mjs"),
    "go": ("go", "example.go"),
}
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED = [
    (language, code)
    for document in (ROOT / "docs" / "api.md", ROOT / "README.md")
    for language, code in _BLOCK.findall(document.read_text())
    if language in RUNTIMES
]


def test_the_pages_and_the_document_show_the_same() -> None:
    """docs/api.md has each example that /docs shows: curl, Python, Node and Go."""
    printed = [code for _, code in PRINTED]
    folder = ROOT / "api" / "docs" / "examples"
    shown = [(folder / name).read_text() for name in EXAMPLES.values()]
    assert [] == [code for code in shown if code not in printed]
    assert all(code in as_markdown() for code in shown)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("language", "code"), PRINTED)
def test_an_example_works(
    stack_settings: Mapping[str, str], tmp_path: Path, language: str, code: str
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
        env={**os.environ, **stack_settings, "GOCACHE": str(tmp_path / "go"), "GO111MODULE": "off"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert ("PUBLISHED" if "wait" in code else "") in done.stdout
