"""Ctrl-C at each moment of a command: while it starts, runs, and ends."""

import subprocess
import sys

import pytest

from tests import ROOT

SCRIPT = ROOT / "infra" / "falhook"
# A program that is interrupted while it imports a module, or while the interpreter ends.
PROGRAM = """
import atexit, os, runpy, signal, sys
from importlib.abc import MetaPathFinder

moment, script = sys.argv[1:]

class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == moment:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
if moment == "exit":
    atexit.register(signal.raise_signal, signal.SIGINT)
sys.argv = ["falhook", "models"]
runpy.run_path(script, run_name="__main__")
"""
MOMENTS = ("worker", "worker.__main__", "worker.cli.main", "click", "worker.cli.models.command")


@pytest.mark.parametrize("moment", [*MOMENTS, "worker.catalogue.catalogue", "exit"])
def test_an_interrupt_at_any_moment(moment: str) -> None:
    """The exit code is that of an interrupt, and there is no traceback."""
    argv = [sys.executable, "-c", PROGRAM, moment, str(SCRIPT)]
    done = subprocess.run(argv, cwd=ROOT, env={}, capture_output=True, timeout=60, check=False)
    assert (130, b"") == (done.returncode, done.stderr)
