"""Workers that are not to start: the real command, and what became of it."""

import os
import subprocess
import sys
from pathlib import Path

from tests import ROOT


def started(
    redis_url: str, directory: Path, *options: str, **environ: str
) -> "subprocess.CompletedProcess[str]":
    """The end of a worker that has good settings but for `options` and `environ`."""
    worker = ("-m", "celery", "-A", "worker.celery", "worker", "-P", "threads")
    return subprocess.run(
        [sys.executable, *worker, *options],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "REDIS_URL": redis_url,
            "FAL_KEY": "id:secret",
            "FALHOOK_PUBLIC_URL": "https://hooks.example.com",
            "FALHOOK_SECRET": "a-secret-of-the-tests-0123456789",
            "FALHOOK_FAL_USER_IDS": "user",
            "FALHOOK_STORAGE_URL": (directory / "storage").as_uri(),
            **environ,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
