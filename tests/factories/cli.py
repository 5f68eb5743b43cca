"""The command line, run in a directory with files of a person."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tests.factories.batches import TEXT
from tests.factories.input_files import MP3, MP4, PNG
from worker.cli.main import cli
from worker.storage import Storage
from worker.storage.local_directory import NAME

FOX = [TEXT, "--prompt", "A fox"]
Run = Callable[..., Result]


def furnished(directory: Path) -> Path:
    """The directory, made, with a picture, a clip, a sound and a text."""
    directory.mkdir()
    (directory / "cat.png").write_bytes(PNG)
    (directory / "clip.mp4").write_bytes(MP4)
    (directory / "speech.mp3").write_bytes(MP3)
    (directory / "notes.txt").write_text("words")
    return directory


def runner(home: Path, redis_url: str) -> Run:
    """Runs `falhook` with that Redis, its storage in that directory."""
    Storage.open(str(home / "storage"))
    environ = {
        "REDIS_URL": redis_url,
        "FALHOOK_BROKER_URL": redis_url,
        "FALHOOK_STORAGE_URL": str(home / "storage"),
        "FALHOOK_CATALOGUE": "",
    }

    def run(*arguments: str, **changes: str | None) -> Result:
        runner = CliRunner(env={**environ, **changes})
        return runner.invoke(cli, arguments, catch_exceptions=False, prog_name="falhook")

    return run


def stored(home: Path) -> list[str]:
    """What lies in storage, beside the mark that it is one."""
    return sorted(path.name for path in (home / "storage").iterdir() if path.name != NAME)


def submitted(run: Run, *arguments: str) -> dict[str, Any]:
    """The job that a submit made."""
    done = run("submit", *arguments, "--json")
    assert 0 == done.exit_code, done.stderr
    job: dict[str, Any] = json.loads(done.stdout)
    return job


def refused(run: Run, *arguments: str, **changes: str | None) -> str:
    """What a submit that made nothing said."""
    done = run("submit", *arguments, **changes)
    assert (2, "") == (done.exit_code, done.stdout)
    return done.stderr


def jobs(home: Path, *prompts: str) -> Path:
    """A file of jobs."""
    path = home / "jobs.jsonl"
    rows = [{"endpoint": TEXT, "arguments": {"prompt": prompt}} for prompt in prompts]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def error_of(run: Run, *arguments: str) -> dict[str, Any]:
    """The error that a submit told as JSON, in the last line of standard error."""
    error: dict[str, Any] = json.loads(refused(run, *arguments, "--json").splitlines()[-1])["error"]
    assert ["problems", "reason", "sentence"] == sorted(error)
    return error
