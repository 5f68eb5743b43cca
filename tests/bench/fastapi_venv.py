"""FastAPI for the naive rival alone: beside falhook's environment, never in it."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from tests.bench.programs import BenchFailed


def path_with_fastapi(directory: Path) -> str:
    """A PYTHONPATH part that makes FastAPI importable; empty where it is installed anyway.

    Raises BenchFailed, saying what to do, where pip cannot install it.
    """
    if importlib.util.find_spec("fastapi") is not None:
        return ""
    if not (directory / "fastapi").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(directory)]
        done = subprocess.run([*command, "fastapi"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchFailed(
                "The naive rival needs FastAPI, which pip could not install: give this "
                f"environment one (pip install fastapi).\n{done.stderr[-1_000:]}"
            )
    return os.pathsep + str(directory)
