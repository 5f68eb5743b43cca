"""The group `falhook endpoints`; its commands are imported when they run."""

import click

from worker.cli.lazy_group import Lazy, LazyGroup

_FOLDER = "worker.cli.endpoints"
COMMANDS = {
    "add": Lazy(f"{_FOLDER}.add", "add", "Add an endpoint, and show its secret once."),
    "disable": Lazy(f"{_FOLDER}.switch", "disable", "Tell an endpoint nothing from now on."),
    "enable": Lazy(f"{_FOLDER}.switch", "enable", "Tell an endpoint again."),
    "list": Lazy(f"{_FOLDER}.list_endpoints", "list_endpoints", "List endpoints."),
    "remove": Lazy(f"{_FOLDER}.switch", "remove", "Forget an endpoint, and what it is owed."),
    "rotate": Lazy(f"{_FOLDER}.rotate", "rotate", "Replace the keys; both sign for a day."),
    "show": Lazy(f"{_FOLDER}.show", "show", "Show an endpoint, and how it goes."),
    "test": Lazy(f"{_FOLDER}.test_message", "test", "Send a signed sample now."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def endpoints() -> None:
    """Tell other programs of jobs, by signed webhooks.

    \b
    falhook endpoints add https://hooks.example.com/falhook
    falhook endpoints add --for-jobs       makes keys for addresses that jobs name
    falhook endpoints test ID              sends a signed sample, and shows the answer
    """
