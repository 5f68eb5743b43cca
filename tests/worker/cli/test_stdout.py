"""Standard output on a full disk, to a closed pipe, and in other encodings."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import ROOT
from tests.factories.listed import jobs_of
from worker.cli.stdout import CLOSED
from worker.jobs.store import JobStore

TEXT = "fal-ai/kling-video/v2.1/master/text-to-video"
FULL = Path("/dev/full")
COMMANDS = [["models"], ["models", "show", TEXT], ["settings"], ["--help"], ["settings", "--json"]]


def run(
    command: list[str], stdout: int, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command that writes to this descriptor."""
    argv = [sys.executable, "-m", "worker", *command]
    return subprocess.run(
        argv,
        cwd=ROOT,
        env=dict(environ or {}),
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_pipe_ends_every_command_alike(command: list[str]) -> None:
    """The exit code is that of a program ended by SIGPIPE; nothing is printed."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run(command, writer)
    finally:
        os.close(writer)
    assert (CLOSED, b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_a_sentence(command: list[str]) -> None:
    """Standard error has one line, with --json too."""
    with FULL.open("wb") as full:
        done = run(command, full.fileno())
    [line] = done.stderr.decode().splitlines()
    if "--json" in command:
        line = json.loads(line)["error"]["sentence"]
    assert (2, True) == (done.returncode, "No space left on device" in line)


def test_the_id_of_a_created_job_is_not_lost(records: JobStore, redis_url: str) -> None:
    """If standard output is full, the error has the job's id."""
    with FULL.open("wb") as full:
        done = run(["submit", TEXT, "prompt=A fox"], full.fileno(), {"REDIS_URL": redis_url})
    [job] = jobs_of(records)
    assert (2, True) == (done.returncode, job.id.encode() in done.stderr)


def test_no_standard_output_at_all() -> None:
    """A closed standard output is not an error."""
    argv = f"{sys.executable} -m worker settings >&-"
    done = subprocess.run(argv, cwd=ROOT, env={}, shell=True, capture_output=True, check=False)
    assert (0, b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    "environ",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_an_output_that_is_not_utf_8(redis_url: str, environ: dict[str, str]) -> None:
    """Characters that the encoding lacks are replaced, and nothing fails."""
    submit = ["submit", TEXT, "prompt=日本 …", "--id", "a1"]
    submitted = run(submit, subprocess.PIPE, {"REDIS_URL": redis_url, "PYTHONUTF8": "1"})
    assert 0 == submitted.returncode
    for command in (["settings", "--as", "markdown"], ["show", "a1"], ["list"]):
        done = run(command, subprocess.PIPE, {"REDIS_URL": redis_url, **environ})
        assert (0, b"") == (done.returncode, done.stderr)
