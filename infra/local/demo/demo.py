"""The run of `make demo`: jobs end to end, without a fal key or a server.

It starts the whole stack, submits three Kling jobs through the command line, shows their progress
live, and reports the published files and the number of requests to fal.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from infra.local.console_link import console_link
from infra.local.demo.jobs import JOBS, DemoJob
from infra.local.demo.report import FinishedJob, report
from infra.local.logfile import Logfile
from infra.local.run_directory import new_directory
from infra.local.stack import ROOT, Stack, stack

FAL_OPTIONS = ("--render-seconds", "4", "--media-cache", str(ROOT / "var" / "media-cache"))


def main(runs: Path = ROOT / "var" / "demo") -> int:
    """Run the demo in a new directory below `runs`.

    Return 0 if every job ended as expected and fal saw only the necessary requests, else 1. Raise
    DirectoryUnusable and the errors of `stack`.
    """
    console = Console(highlight=False)
    began = time.monotonic()
    directory = new_directory(runs)
    logfile = Logfile(directory / "stack.log")
    console.print("Starting Redis, the simulated fal and the processes of the Procfile …")
    with logfile, stack(directory, logfile.write, fal_options=FAL_OPTIONS) as running:
        _print_start(console, time.monotonic() - began)
        link = console_link(running.settings)
        console.print(f"Watch them in the console until the demo ends: {link}\n", soft_wrap=True)
        ids = [_submit(running, demo_job) for demo_job in JOBS]
        subprocess.run(_falhook("watch", *ids), env=dict(running.environ), check=False)
        faults = report(console, _finished(running, ids), ROOT)
    console.print(f"Log of all processes: {logfile.path.relative_to(ROOT)}", soft_wrap=True)
    for fault in faults:
        console.print(f"[red]Not as expected:[/] {escape(fault)}")
    console.print(f"Done in {time.monotonic() - began:.1f} s.")
    console.print(_again(directory), soft_wrap=True, markup=False)
    return 1 if faults else 0


def _again(directory: Path) -> str:
    """Return how to look at the jobs of a demo that has ended."""
    command = f".venv/bin/python -m infra.local up --directory {directory.relative_to(ROOT)}"
    return (
        f"To play the clips in the console, and to render the failed one again:\n    {command}\n"
        "It prints a link that signs in to the console."
    )


def _print_start(console: Console, seconds: float) -> None:
    console.print(f"Ready after {seconds:.1f} s. Submitting {len(JOBS)} jobs.")
    for number, demo_job in enumerate(JOBS, start=1):
        if demo_job.reason:
            console.print(f"Job {number} {demo_job.reason}.", soft_wrap=True)
    console.print()


def _falhook(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "worker", *arguments]


def _submit(running: Stack, demo_job: DemoJob) -> str:
    arguments = json.dumps(demo_job.arguments)
    return str(_run_falhook(running, "submit", demo_job.endpoint, "--arguments", arguments)["id"])


def _run_falhook(running: Stack, *arguments: str) -> dict[str, object]:
    process = subprocess.run(
        _falhook(*arguments, "--json"),
        env=dict(running.environ),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    document: dict[str, object] = json.loads(process.stdout)
    return document


def _finished(running: Stack, ids: list[str]) -> list[FinishedJob]:
    counts = running.fal.counts()["requests"]
    published = running.directory / "storage" / "published"
    jobs = [_run_falhook(running, "show", job_id) for job_id in ids]
    return [
        FinishedJob(
            demo_job=demo_job,
            record=job,
            requests=counts.get(str(job["request_id"]), {}),
            published=published / str(job["id"]),
        )
        for demo_job, job in zip(JOBS, jobs, strict=True)
    ]
