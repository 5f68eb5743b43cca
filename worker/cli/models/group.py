"""The group `falhook models`; its commands are imported when they run."""

import click

from worker.cli.lazy_group import Lazy, LazyGroup

COMMANDS = {
    "add": Lazy("worker.cli.models.flags", "add", "Add any endpoint of fal to your own catalogue."),
    "list": Lazy("worker.cli.models.command", "list_models", "List endpoints with their prices."),
    "refresh": Lazy("worker.cli.models.flags", "refresh", "Read fal's prices for your account."),
    "show": Lazy("worker.cli.models.command", "show", "Show the inputs and price of an endpoint."),
}


class _Models(LazyGroup):
    """`models WORDS` is `models list WORDS`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.lazy, "-h", "--help"}:
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Models, lazy=COMMANDS)
def models() -> None:
    """List the endpoints that jobs can use, show one, or add one of your own.

    \b
    falhook models 2.6 image        lists those with both words in their id
    falhook models show ENDPOINT    shows its inputs, with a command to paste
    falhook models add ENDPOINT     adds any other endpoint, as fal describes it
    falhook models refresh          reads fal's prices for your account
    """
