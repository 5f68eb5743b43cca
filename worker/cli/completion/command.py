"""`falhook completion`: install the completion of a shell, or print its script."""

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from worker.cli.errors import CliError, handle_errors

SHELLS = ("bash", "fish", "zsh")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.option("--print", "only_print", is_flag=True, help="Print the script, install nothing.")
@handle_errors
def completion(shell: str | None, *, only_print: bool) -> None:
    """Install Tab completion of commands, endpoints, inputs, job ids and states in SHELL.

    SHELL is bash, fish or zsh; by default the one of $SHELL. Without --print, a file is written
    to the directory from which that shell loads completions, and nothing else is changed.
    """
    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise CliError(f"Name the shell: falhook completion {'|'.join(SHELLS)}.")
    script = _script(name)
    if only_print:
        click.echo(script)
        return
    file = _file(name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(script, encoding="utf-8")
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error.strerror}; use --print.") from None
    click.echo(f"{file} completes falhook in new shells.")
    click.echo(_note(name, file), err=True)


def _script(shell: str) -> str:
    from worker.cli.completion.bash import register
    from worker.cli.main import COMPLETE, cli

    register()
    complete = get_completion_class(shell)
    assert complete is not None
    shown = complete(cli, {}, "falhook", COMPLETE)
    # Bash's own `source` would start a bash to read its version.
    return shown.source_template % shown.source_vars()


def _file(shell: str) -> Path:
    data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return {
        # https://github.com/scop/bash-completion : user completions are loaded from here.
        "bash": data / "bash-completion" / "completions" / "falhook",
        "fish": config / "fish" / "completions" / "falhook.fish",
        "zsh": data / "zsh" / "site-functions" / "_falhook",
    }[shell]


def _note(shell: str, file: Path) -> str:
    """Return what the shell needs in order to load the file."""
    return {
        "bash": f"Without the package bash-completion, add to ~/.bashrc: source {file}",
        "fish": "fish loads it by itself.",
        "zsh": f"Before compinit, ~/.zshrc needs: fpath+=({file.parent})",
    }[shell]
