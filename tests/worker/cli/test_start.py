"""The start of a command: it imports what it runs and nothing else."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from tests import ROOT
from worker.cli.lazy_group import LazyGroup
from worker.cli.main import COMMANDS, cli

# Each takes a twentieth of a second or more.
HEAVY = (
    *("celery", "kombu", "redis", "fal_client", "httpx", "pydantic", "rich", "obstore"),
    *("structlog", "starlette", "uvicorn", "imageio_ffmpeg"),
)
ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"
# What a command that does its work imports of these, without a terminal.
READS: dict[tuple[str, ...], set[str]] = {
    ("list",): {"redis"},
    ("list", "--state", "FAILED", "--json"): {"redis"},
    ("show", "unknown"): {"redis", "obstore", "pydantic"},  # it may be archived
    ("watch", "unknown"): {"redis", "rich"},
    ("keys", "list"): {"redis"},
    ("models",): set(),
    ("models", "kling", "--json"): set(),
    ("models", "show", ENDPOINT): {"rich"},
    ("settings",): set(),
    ("settings", "--as", "env"): set(),
    ("completion", "bash"): set(),
    ("provenance", "--help"): set(),
    ("cancel", "unknown"): {"redis"},
    ("retry", "unknown"): {"redis"},
    ("migrate",): {"redis"},
}
# What `falhook settings` and `falhook models` describe, and do not read.
LARGE = (
    *("worker.jobs.job", "worker.formats.mp4", "worker.formats.tags", "worker.transcode.profiles"),
    *("worker.retention.periods", "worker.catalogue.validation.arguments", "ssl"),
)
PROGRAM = """
import sys
sys.argv = ["falhook", *sys.argv[1:]]
from worker.cli.main import run
run()
print(" ".join(sys.modules), file=sys.stderr)
"""


def loaded(*arguments: str, **environ: str) -> set[str]:
    """Return the heavy packages that a command has imported when it ends."""
    return {name.partition(".")[0] for name in modules(*arguments, **environ)} & set(HEAVY)


def modules(*arguments: str, **environ: str) -> set[str]:
    """Return the modules that a command has imported when it ends."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_the_program_itself_imports_nothing_heavy(flag: str) -> None:
    """Version and help are printed from what is loaded in any case."""
    assert set() == loaded(flag)


# `sim` becomes another program, which prints the help.
@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"sim"}))
def test_the_flags_of_a_command_import_nothing_heavy(name: str) -> None:
    """Help, wrong flags and completion do not wait for what the command would run."""
    assert set() == loaded(name, "--help")


@pytest.mark.parametrize("name", ["add", "refresh"])
def test_the_flags_of_models_import_nothing_heavy(name: str) -> None:
    """Those of its commands that read files and ask fal are imported when they run."""
    assert set() == loaded("models", name, "--help")


def test_a_dry_run_imports_no_connections(redis_url: str) -> None:
    """It sends no message, asks no Redis and logs nothing."""
    arguments = ("submit", ENDPOINT, "--prompt", "A fox", "--dry-run")
    imported = loaded(*arguments, REDIS_URL=redis_url)
    assert set() == imported & {"celery", "kombu", "redis", "structlog", "rich", "httpx"}


@pytest.mark.parametrize("command", READS, ids=" ".join)
def test_a_command_that_only_reads_imports_little(command: tuple[str, ...], redis_url: str) -> None:
    """Neither Celery nor a client of fal, and pydantic only where a job may be archived."""
    assert READS[command] == loaded(*command, REDIS_URL=redis_url)


@pytest.mark.parametrize("name", ["models", "settings"])
def test_a_command_that_describes_reads_nothing_else(name: str) -> None:
    """The tables of endpoints and settings need no parser of media and no validator of inputs."""
    assert set() == modules(name) & set(LARGE)


@pytest.mark.parametrize(
    "command",
    [
        *(("list",), ("show", "job1"), ("cancel", "job1"), ("retry", "job1"), ("orphans",)),
        *(("migrate",), ("watch", "job1"), ("keys", "list")),
    ],
    ids=" ".join,
)
def test_a_missing_setting_is_said_at_once(command: tuple[str, ...]) -> None:
    """Whoever forgot REDIS_URL does not wait for what the command would import."""
    assert set() == loaded(*command)


def test_the_table_of_commands_is_complete() -> None:
    """Each entry is the command of that name."""
    assert isinstance(cli, LazyGroup)
    names = {name: command.load().name for name, command in COMMANDS.items()}
    assert {name: name for name in COMMANDS} == names


def test_help_has_a_line_for_each_command() -> None:
    """The list in the help comes from the table, without an import."""
    text = cli.get_help(click.Context(cli))
    assert [] == [entry.short_help for entry in COMMANDS.values() if entry.short_help not in text]


def test_a_misspelt_command_is_met_with_the_nearest() -> None:
    """Nothing is suggested for a word that is like no command."""
    said = [CliRunner().invoke(cli, [word]).stderr.splitlines()[-1] for word in ("lst", "zzz")]
    assert [
        "Error: No such command 'lst': did you mean list?",
        "Error: No such command 'zzz'.",
    ] == said
