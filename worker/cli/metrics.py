"""`falhook metrics`: the exporter of metrics, a process of the Procfile."""

import sys

import click

from worker.cli.errors import CliError, handle_errors


@click.command()
@click.option("--once", is_flag=True, help="Print the metrics and end.")
@handle_errors
def metrics(once: bool) -> None:
    """Serve metrics of all jobs for Prometheus, until it is stopped.

    They are at /metrics of FALHOOK_METRICS_PORT, and docs/metrics.md lists them. Any number of
    exporters show the same. Exit code 1 with --once: Redis is away.
    """
    from webhook import log as logs
    from webhook.server.sockets import BindError, Names, listen
    from worker.jobs.store import connect
    from worker.metrics.exporter import Exporter
    from worker.settings.metrics import MetricsListener

    settings = MetricsListener.from_env()
    logs.configure(level=settings.log_level, form=settings.log_format)
    exporter = Exporter(connect(settings.redis_url), tenants=settings.metrics_tenants)
    if once:
        up = exporter.fold()
        click.echo(exporter.text(), nl=False)
        sys.exit(0 if up else 1)
    from worker.metrics.serve import serve

    names = Names("FALHOOK_METRICS_HOST", "FALHOOK_METRICS_PORT")
    try:
        listeners = listen(settings.metrics_host, settings.metrics_port, names)
    except BindError as error:
        raise CliError(f"{error}.") from None
    sys.exit(serve(exporter, listeners))
