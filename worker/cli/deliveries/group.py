"""`falhook deliveries`: lists them; the group of what can be done with them."""

from typing import Any

import click

from worker.cli.errors import handle_errors
from worker.cli.job_filters import SINCE, tenant_option
from worker.cli.lazy_group import Lazy, LazyGroup
from worker.cli.stdout import json_lines_option

COMMANDS = {"resend": Lazy("worker.cli.deliveries.resend", "resend", "Send messages again.")}
_STATES = ("waiting", "sending", "delivered", "dead")


@click.group(cls=LazyGroup, lazy=COMMANDS, invoke_without_command=True)
@click.option("--endpoint", metavar="ID", help="Only those of this endpoint.")
@click.option("--job", "job_id", metavar="JOB", help="Only those about this job.")
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--since", type=SINCE, help="Only those of events since then: 90s, 30m, 12h, 7d.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@tenant_option("Only those of this tenant.")
@json_lines_option
@click.pass_context
@handle_errors
def deliveries(context: click.Context, /, **wishes: Any) -> None:
    """List what receivers were told, the latest first, with every attempt.

    A delivery is kept for 7 days after its success, and for 30 days if it is dead.
    """
    if context.invoked_subcommand is None:
        from worker.cli.deliveries.listing import list_deliveries

        list_deliveries(**wishes)
