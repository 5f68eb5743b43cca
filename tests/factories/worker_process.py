"""The real worker command, for workers that refuse to start."""

import os
import subprocess
import sys
from pathlib import Path

from tests import ROOT


def worker_environment(redis_url: str, directory: Path) -> dict[str, str]:
    """The smallest valid environment of a worker."""
    return {
        "PATH": os.environ["PATH"],
        "REDIS_URL": redis_url,
        "FAL_KEY": "id:secret",
        "FALHOOK_PUBLIC_URL": "https://hooks.example.com",
        "FALHOOK_SECRET": "a-secret-of-the-tests-0123456789",
        "FALHOOK_FAL_USER_IDS": "user",
        "FALHOOK_STORAGE_URL": (directory / "storage").as_uri(),
    }


def started(
    redis_url: str, directory: Path, *options: str, **environ: str
) -> "subprocess.CompletedProcess[str]":
    """Run a worker with valid settings except for `options` and `environ`; return the result."""
    command = ("-m", "celery", "-A", "worker.celery", "worker", "-P", "threads")
    return subprocess.run(
        [sys.executable, *command, *options],
        cwd=ROOT,
        env={**worker_environment(redis_url, directory), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
