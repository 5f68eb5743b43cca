"""Where the command line writes to: a full disk, a closed pipe, few characters, an interrupt."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import ROOT
from worker.cli.stdout import CLOSED
from worker.jobs.store import JobStore

TEXT = "fal-ai/kling-video/v2.1/master/text-to-video"
FULL = Path("/dev/full")
COMMANDS = [["models"], ["models", "show", TEXT], ["settings"], ["--help"], ["settings", "--json"]]

INTERRUPTED = """
import runpy, sys
from importlib.abc import MetaPathFinder

class Impatient(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "redis":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Impatient())
sys.argv = ["falhook", "list"]
runpy.run_module("worker", run_name="__main__")
"""


def run(
    command: list[str], stdout: int, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """A command that writes to this descriptor."""
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
    """As a shell has it for a program that SIGPIPE ended, without a word."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run(command, writer)
    finally:
        os.close(writer)
    assert (CLOSED, b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_a_sentence(command: list[str]) -> None:
    """One line on standard error, for machines as well."""
    with FULL.open("wb") as full:
        done = run(command, full.fileno())
    [line] = done.stderr.decode().splitlines()
    if "--json" in command:
        line = json.loads(line)["error"]["sentence"]
    assert (2, True) == (done.returncode, "No space left on device" in line)


def test_a_job_that_was_made_is_told_all_the_same(records: JobStore, redis_url: str) -> None:
    """What could not be written holds its id."""
    with FULL.open("wb") as full:
        done = run(["submit", TEXT, "prompt=A fox"], full.fileno(), {"REDIS_URL": redis_url})
    [job] = records.list()
    assert (2, True) == (done.returncode, job.id.encode() in done.stderr)


def test_no_standard_output_at_all() -> None:
    """There is nobody to tell, and so no fault."""
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
    """What it cannot show is replaced, and nothing fails."""
    submit = ["submit", TEXT, "prompt=日本 …", "--id", "a1"]
    made = run(submit, subprocess.PIPE, {"REDIS_URL": redis_url, "PYTHONUTF8": "1"})
    assert 0 == made.returncode
    for command in (["settings", "--as", "markdown"], ["show", "a1"], ["list"]):
        done = run(command, subprocess.PIPE, {"REDIS_URL": redis_url, **environ})
        assert (0, b"") == (done.returncode, done.stderr)


def test_an_interrupt_while_modules_are_read() -> None:
    """It ends like any other: quietly, with the exit code of an interrupt."""
    argv = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(argv, cwd=ROOT, env={}, capture_output=True, timeout=60, check=False)
    assert (130, b"", b"") == (done.returncode, done.stdout, done.stderr)
