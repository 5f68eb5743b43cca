"""The list of deliveries, each with its attempts."""

import click

from worker.cli.console import clock_text, print_json
from worker.cli.endpoints.store import find_endpoint, open_endpoints
from worker.jobs.store import JobStore
from worker.notifications.history import Delivery, DeliveryState, Histories
from worker.text import printable, shorten

_LONGEST_ANSWER = 200


def list_deliveries(
    *,
    endpoint: str | None,
    job_id: str | None,
    state: str | None,
    since: float | None,
    limit: int,
    tenant: str | None,
    as_json: bool,
) -> None:
    """Print the deliveries that are wanted."""
    from worker.cli.connections import find_job

    endpoints = open_endpoints()
    if endpoint is not None:
        find_endpoint(endpoints, endpoint)
    store = JobStore(endpoints.redis)
    found = Histories(endpoints.redis, endpoints, clock=endpoints.clock).list(
        tenant,
        endpoint=endpoint or "",
        job=find_job(store, job_id) if job_id else None,
        states=[DeliveryState(state)] if state else (),
        since=since or 0.0,
        limit=limit,
    )
    for delivery in found:
        if as_json:
            print_json(delivery.data())
        else:
            click.echo("\n".join(_lines(delivery)))
    if not found and not as_json:
        click.echo("No deliveries.", err=True)


def _lines(delivery: Delivery) -> list[str]:
    due = "" if delivery.due_at is None else f", due {clock_text(delivery.due_at)}"
    at = clock_text(float(delivery.event.at))
    head = f"{at}  {delivery.id}  {delivery.event.type}  {delivery.state}{due}"
    lines = [printable(head)]
    for attempt in delivery.attempts:
        said = str(attempt.status) if attempt.status else ""
        what = " ".join(filter(None, (said, attempt.error)))
        lines.append(f"    {clock_text(attempt.at)}  {what}  {attempt.ms} ms")
    if delivery.answer:
        lines.append(f"    {shorten(delivery.answer, _LONGEST_ANSWER)}")
    return lines
