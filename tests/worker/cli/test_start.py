"""The start of a command: it imports what it runs and nothing else."""

import subprocess
import sys

import click
import pytest

from tests import ROOT
from worker.cli.lazy_group import LazyGroup
from worker.cli.main import COMMANDS, cli

# Each takes a twentieth of a second or more.
HEAVY = ("celery", "kombu", "redis", "fal_client", "httpx", "pydantic", "rich", "obstore")
PROGRAM = """
import sys
sys.argv = ["falhook", *sys.argv[1:]]
from worker.cli.main import run
run()
print(" ".join(sys.modules), file=sys.stderr)
"""


def loaded(*arguments: str) -> set[str]:
    """Return the heavy packages that a command has imported when it ends."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()} & set(HEAVY)


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_the_program_itself_imports_nothing_heavy(flag: str) -> None:
    """Version and help are printed from what is loaded in any case."""
    assert set() == loaded(flag)


# `sim` becomes another program, which prints the help.
@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"sim"}))
def test_the_flags_of_a_command_import_nothing_heavy(name: str) -> None:
    """Help, wrong flags and completion do not wait for what the command would run."""
    assert set() == loaded(name, "--help")


def test_the_table_of_commands_is_complete() -> None:
    """Each entry is the command of that name."""
    assert isinstance(cli, LazyGroup)
    names = {name: command.load().name for name, command in COMMANDS.items()}
    assert {name: name for name in COMMANDS} == names


def test_help_has_a_line_for_each_command() -> None:
    """The list in the help comes from the table, without an import."""
    text = cli.get_help(click.Context(cli))
    assert [] == [entry.short_help for entry in COMMANDS.values() if entry.short_help not in text]
