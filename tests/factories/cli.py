"""The command line, run in a directory with a user's files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.factories.batches import TEXT
from tests.factories.input_files import MP3, MP4, PNG
from worker.cli.main import cli
from worker.storage import Storage
from worker.storage.local_directory import MARKER

FOX = [TEXT, "--prompt", "A fox"]
Run = Callable[..., Result]


@pytest.fixture
def ready_environment(redis_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a worker that can start; its storage does not exist yet."""
    return {
        "REDIS_URL": redis_url,
        "FALHOOK_PUBLIC_URL": "https://hooks.example.com",
        "FALHOOK_SECRET": "0123456789abcdef",
        "FALHOOK_FAL_USER_IDS": "us",
        "FAL_KEY": "id:secret",
        "FAL_REST_HOST": "localhost:1",  # nothing is sent to the real fal
        "FALHOOK_STORAGE_URL": str(tmp_path / "storage"),
    }


def submit_environment(redis_url: str, storage: Path) -> dict[str, str]:
    """Return the environment in which `falhook submit` creates jobs."""
    return {
        "REDIS_URL": redis_url,
        "FALHOOK_BROKER_URL": redis_url,
        "FALHOOK_STORAGE_URL": str(storage),
        "FALHOOK_CATALOGUE": "",
    }


def furnished(directory: Path) -> Path:
    """Create the directory with a picture, a clip, a sound and a text, and return it."""
    directory.mkdir()
    (directory / "cat.png").write_bytes(PNG)
    (directory / "clip.mp4").write_bytes(MP4)
    (directory / "speech.mp3").write_bytes(MP3)
    (directory / "notes.txt").write_text("words")
    return directory


def runner(home: Path, redis_url: str) -> Run:
    """Return a function that runs `falhook` with this Redis and a storage in `home`."""
    Storage.open(str(home / "storage"))
    environ = submit_environment(redis_url, home / "storage")

    def run(*arguments: str, **changes: str | None) -> Result:
        runner = CliRunner(env={**environ, **changes})
        return runner.invoke(cli, arguments, catch_exceptions=False, prog_name="falhook")

    return run


def stored(home: Path) -> list[str]:
    """Return the names in the storage, except its marker."""
    return sorted(path.name for path in (home / "storage").iterdir() if path.name != MARKER)


def submitted(run: Run, *arguments: str) -> dict[str, Any]:
    """Return the job that a submit created."""
    result = run("submit", *arguments, "--json")
    assert 0 == result.exit_code, result.stderr
    job: dict[str, Any] = json.loads(result.stdout)
    return job


def refused(run: Run, *arguments: str, **changes: str | None) -> str:
    """Return the standard error of a submit that created nothing."""
    result = run("submit", *arguments, **changes)
    assert (2, "") == (result.exit_code, result.stdout)
    return result.stderr


def jobs(home: Path, *prompts: str) -> Path:
    """Write a file of jobs and return its path."""
    path = home / "jobs.jsonl"
    rows = [{"endpoint": TEXT, "arguments": {"prompt": prompt}} for prompt in prompts]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def error_of(run: Run, *arguments: str) -> dict[str, Any]:
    """Return the JSON error of a rejected submit, the last line of its standard error."""
    error: dict[str, Any] = json.loads(refused(run, *arguments, "--json").splitlines()[-1])["error"]
    assert ["problems", "reason", "sentence"] == sorted(error)
    return error
