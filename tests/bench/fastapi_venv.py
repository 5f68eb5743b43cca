"""FastAPI for the naive rival only, installed outside falhook's environment."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from tests.bench.programs import BenchFailed


def path_with_fastapi(directory: Path) -> str:
    """Return a suffix of PYTHONPATH that makes FastAPI importable; empty if it is installed.

    Raises BenchFailed with the correction if pip cannot install it.
    """
    if importlib.util.find_spec("fastapi") is not None:
        return ""
    if not (directory / "fastapi").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(directory)]
        done = subprocess.run([*command, "fastapi"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchFailed(
                "The naive rival requires FastAPI, which pip could not install; install it in "
                f"this environment (pip install fastapi).\n{done.stderr[-1_000:]}"
            )
    return os.pathsep + str(directory)
