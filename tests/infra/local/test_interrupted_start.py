"""Ctrl-C while `make local` and `make setup` start."""

import subprocess
import sys

import pytest

from tests import ROOT

# A program that is interrupted while it imports a module.
PROGRAM = """
import runpy, signal, sys
from importlib.abc import MetaPathFinder

class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == sys.argv[-1]:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
runpy.run_module("infra.local", run_name="__main__")
"""
# `infra/setup.py`, interrupted where it starts pip.
SETUP = """
import runpy, signal, subprocess, sys

subprocess.Popen = lambda *_args, **_kwargs: signal.raise_signal(signal.SIGINT)
runpy.run_path(sys.argv[-1], run_name="__main__")
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end."""
    argv = [sys.executable, "-c", program, *arguments]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("module", ["infra.local.commands", "infra.local.stack", "redis"])
def test_an_interrupt_while_the_local_stack_is_imported(module: str) -> None:
    """The exit code is that of an interrupt, and there is no traceback."""
    done = run(PROGRAM, "demo", module)
    assert (130, b"") == (done.returncode, done.stderr)


def test_an_interrupted_installation() -> None:
    """It says in a line how to continue, without a traceback."""
    done = run(SETUP, str(ROOT / "infra" / "setup.py"))
    assert (130, b"\nStopped; `make setup` installs the rest.\n") == (done.returncode, done.stderr)
