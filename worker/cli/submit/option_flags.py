"""fal's platform options as flags."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_FLAGS = (
    click.option("--options", help="All platform options as a JSON object, @FILE, or - for stdin."),
    click.option("--priority", type=click.Choice(["normal", "low"]), help="Place in fal's queue."),
    click.option(
        "--start-timeout",
        type=float,
        metavar="SECONDS",
        help="Fail if the render has not begun by then.",
    ),
    click.option(
        "--runner-hint", metavar="TEXT", help="Prefer the runner of earlier jobs with this hint."
    ),
    click.option(
        "--max-queue-length",
        type=int,
        metavar="N",
        help="Wait while more than N requests are in the endpoint's queue.",
    ),
    click.option("--no-retry", is_flag=True, help="Turn fal's own retries off."),
    click.option(
        "--no-store-io", is_flag=True, help="Keep inputs and result out of fal's history."
    ),
    click.option(
        "--object-lifetime",
        metavar="DURATION",
        help="How long fal keeps the result: seconds, 24h, 7d, 1y or never.",
    ),
    click.option(
        "--tag", "tags", multiple=True, metavar="NAME=VALUE", help="Shown in fal's billing events."
    ),
)


def platform_options(command: F) -> F:
    """Add all flags of platform options to the command; `options_of` reads them."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def options_of(flags: Mapping[str, Any]) -> dict[str, object]:
    """Return the platform options of a command's flags, in the form that `Options.read` accepts."""
    from worker.catalogue.options import merged
    from worker.cli.submit.flag_values import json_object, pairs

    options = json_object(flags["options"], "--options")
    lifetime: str | None = flags["object_lifetime"]
    single = {
        "priority": flags["priority"],
        "start_timeout": flags["start_timeout"],
        "runner_hint": flags["runner_hint"],
        "max_queue_length": flags["max_queue_length"],
        "no_retry": flags["no_retry"] or None,
        "store_io": False if flags["no_store_io"] else None,
        "tags": pairs(flags["tags"], "--tag") or None,
        "object_lifecycle": lifetime and {"expiration_duration_seconds": lifetime},
    }
    return merged(options, {name: value for name, value in single.items() if value is not None})
