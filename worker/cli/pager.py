"""Long tables of a terminal go through a pager."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

pager_option = click.option(
    "--no-pager", is_flag=True, help="Print a long table at once, not through $PAGER."
)
# As git does: leave at once if it fits, keep colours, and leave the text on the screen.
_LESS = "FRX"


def print_paged(print_to: "Callable[[Console], None]", *, no_pager: bool) -> None:
    """Print to a terminal; through $PAGER, or less, if the terminal has too few lines for it.

    An empty PAGER and `PAGER=cat` mean none. Standard output must be a terminal.
    """
    from worker.cli.console import plain_console

    console = plain_console()
    with console.capture() as capture:
        print_to(console)
    text = capture.get()
    unwanted = no_pager or os.environ.get("PAGER") in {"", "cat"} or not sys.stdin.isatty()
    if unwanted or text.count("\n") < console.height:
        click.echo(text, nl=False, color=True)
        return
    os.environ.setdefault("LESS", _LESS)
    click.echo_via_pager(text.removesuffix("\n"), color=True)
