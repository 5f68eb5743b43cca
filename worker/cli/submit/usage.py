"""The command `submit` where an input was written like a flag."""

from typing import NoReturn

import click


class SubmitCommand(click.Command):
    """A command that says of an unknown flag how an input is written."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Raises NoSuchOption, which names the input that may be meant."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as unknown:
            _explain(unknown)


def _explain(unknown: click.NoSuchOption) -> NoReturn:
    name = unknown.option_name.lstrip("-").replace("-", "_")
    message = f"No such option {unknown.option_name}. An input is written without dashes: {name}=…"
    raise click.NoSuchOption(
        unknown.option_name, message, possibilities=unknown.possibilities, ctx=unknown.ctx
    ) from None
