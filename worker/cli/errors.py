"""Errors of the command line: one sentence on standard error, or one line of JSON."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import IO, Any, ParamSpec, TypeVar

import click

from worker.text import printable

P = ParamSpec("P")
T = TypeVar("T")


class CliError(click.ClickException):
    """An error of one clear sentence, with exit code 2.

    With `as_json` it is one line of JSON: {"error": {"reason", "sentence", "problems"}}. Each
    problem has path, value, message and hint; one in a file of jobs also has its line.
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        reason: str = "bad_usage",
        problems: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__(printable(message, lines=True))
        self.reason, self.problems = reason, problems
        self.as_json = False

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the error on standard error, which leaves standard output to results."""
        if not self.as_json:
            super().show(file)
            return
        from worker.cli.console import json_text

        error = {"reason": self.reason, "sentence": self.message, "problems": list(self.problems)}
        click.echo(json_text({"error": error}), err=True)


def handle_errors(command: Callable[P, T]) -> Callable[P, T]:
    """Return the command with its expected errors raised as CliError, in JSON if it prints JSON."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except CliError as error:
            error.as_json = bool(kwargs.get("as_json"))
            raise
        except Exception as error:
            # Loaded only now: it imports every part whose errors it knows.
            from worker.cli.expected_errors import as_cli_error

            expected = as_cli_error(error)
            if expected is None:
                raise
            expected.as_json = bool(kwargs.get("as_json"))
            raise expected from None

    return run
