"""`falhook orphans`: results of fal for jobs that this Redis does not know."""

import sys
from typing import TYPE_CHECKING

import click

from worker.cli.console import clock_text, plain_console, print_json, print_table
from worker.cli.errors import CliError, handle_errors
from worker.cli.stdout import json_lines_option

if TYPE_CHECKING:
    from worker.jobs.store import JobStore
    from worker.operations.orphans import Orphan


@click.command()
@click.argument("job_ids", nargs=-1, metavar="[JOB]...")
@click.option("--endpoint", help="The endpoint of these JOBs, such as fal-ai/kling-video/…")
@json_lines_option
@handle_errors
def orphans(*, job_ids: tuple[str, ...], endpoint: str | None, as_json: bool) -> None:
    """List fal's callbacks for jobs without a record, or publish the results of JOBs.

    They are kept for 30 days. If a job is created again with its id, it takes its callback instead
    of being sent to fal; with --endpoint that works without its inputs. Exit code 1 if a job was
    not brought back.
    """
    from worker.cli.connections import open_store

    store = open_store()
    if not job_ids:
        from worker.operations.orphans import orphans as all_orphans

        _list(sorted(all_orphans(store), key=lambda each: each.newest.received_at), as_json)
        return
    from worker.catalogue.endpoint import ENDPOINT

    if endpoint is None or ENDPOINT.fullmatch(endpoint) is None:
        raise CliError("Name the endpoint of these jobs: --endpoint owner/app/…")
    missing = [job_id for job_id in job_ids if not _adopt(store, job_id, endpoint, as_json)]
    sys.exit(1 if missing else 0)


def _list(found: "list[Orphan]", as_json: bool) -> None:
    if as_json:
        for orphan in found:
            print_json(orphan.record())
    elif found:
        rows = [
            (
                orphan.job_id,
                f"{orphan.record()['status']}",
                clock_text(orphan.newest.received_at),
                orphan.newest.request_id,
            )
            for orphan in found
        ]
        print_table(plain_console(), ("job", "status", "received (UTC)", "request id"), rows)
    else:
        click.echo("No orphans: every callback has its job.", err=True)


def _adopt(store: "JobStore", job_id: str, endpoint: str, as_json: bool) -> bool:
    from worker.jobs.job import Job
    from worker.operations.orphans import adopt, find_orphan

    orphan = find_orphan(store, job_id)
    # Any result will do: what the endpoint returns may not be in the catalogue.
    job = Job(id=job_id, endpoint=endpoint, arguments={}, needs_file=0)
    done = orphan is not None and adopt(store, job, orphan)
    if as_json:
        print_json({"id": job_id, "adopted": done})
    elif done:
        click.echo(f"{job_id} has its result; `falhook watch {job_id}` follows it")
    else:
        click.echo(f"{job_id} has a record already, or no callback.", err=True)
    return done
