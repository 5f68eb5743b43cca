"""The commands that documents show: each block says whether it is run, and then it works.

A block of shell commands (```console, each command after `$ `) follows a line `<!-- run -->` or
`<!-- not run: WHY -->`, which readers of the page do not see.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import ROOT
from tests.repository.test_documents import DOCUMENTS

_BLOCK = re.compile(r"^(?:<!-- ([^\n]*) -->\n)?^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    (document, mark, text)
    for document in DOCUMENTS
    for mark, text in _BLOCK.findall((ROOT / document).read_text())
]
RUN = [(document, text) for document, mark, text in BLOCKS if mark == "run"]
WITH_CLI = {"PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}


def test_each_block_says_whether_it_is_run() -> None:
    """Each has a mark; one that is not run says why."""
    marked = re.compile(r"run|not run: .+")
    assert [] == [text for _, mark, text in BLOCKS if not marked.fullmatch(mark)]
    assert len(RUN) >= 4


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("document", "text"), RUN)
def test_its_commands_work(
    stack_settings: Mapping[str, str], tmp_path: Path, document: str, text: str
) -> None:
    """Every command of a block ends with exit code 0, in the order of the page."""
    commands = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    assert commands, f"{document} has a block without a command"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
        cwd=tmp_path,
        env={**os.environ, **stack_settings, **WITH_CLI},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
