"""The commands of the Makefile."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAILS_ONCE = """
from pathlib import Path

def test_fails_once():
    seen = Path(__file__).with_name("seen")
    assert seen.exists() or seen.touch()
"""
FAILS = "def test_fails(): assert False"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with falhook's Makefile, without its tests and its settings of pytest."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python").chmod(0o755)
    (tmp_path / ".venv/.ready").touch()
    return tmp_path


@pytest.mark.parametrize(("test", "passes"), [(FAILS_ONCE, True), (FAILS, False)])
def test_make_test_runs_failed_tests_again(project: Path, test: str, passes: bool) -> None:
    """A test that fails once passes alone; one that fails both times fails the command."""
    (project / "test_it.py").write_text(test)
    done = subprocess.run(
        ["make", "test"],
        cwd=project,
        env={**os.environ, "PYTEST_XDIST_AUTO_NUM_WORKERS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (passes, True) == (not done.returncode, "Running the failed tests again" in done.stdout)
