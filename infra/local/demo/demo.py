"""`make demo`: the main job, end to end, without a key or a server.

Starts the whole stack, submits three Kling jobs through the command line, shows their way live,
and tells what was published and how often fal was asked. Exit code 0 only if all went as expected.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from infra.local.demo.jobs import JOBS, Wanted
from infra.local.demo.report import Ended, report
from infra.local.logfile import Logfile
from infra.local.run_directory import new_in
from infra.local.stack import ROOT, Stack, stack

FAL_OPTIONS = ("--render-seconds", "4", "--media-cache", str(ROOT / "var" / "media-cache"))


def main(runs: Path = ROOT / "var" / "demo") -> int:
    """Run the demo in a directory of its own below `runs`.

    0 if every job ended as it should and fal was asked no more than needed. Raises
    DirectoryUnusable, and what `stack` does.
    """
    console = Console(highlight=False)
    began = time.monotonic()
    directory = new_in(runs)
    logfile = Logfile(directory / "stack.log")
    console.print("Starting Redis, the simulated fal and the Procfile's processes …")
    with logfile, stack(directory, logfile.write, fal_options=FAL_OPTIONS) as running:
        _announce(console, time.monotonic() - began)
        ids = [_submit(running, wanted) for wanted in JOBS]
        subprocess.run(_falhook("watch", *ids), env=dict(running.environ), check=False)
        faults = report(console, _ended(running, ids), ROOT)
    console.print(f"Log of all processes: {logfile.path.relative_to(ROOT)}", soft_wrap=True)
    for fault in faults:
        console.print(f"[red]Not as expected:[/] {escape(fault)}")
    console.print(f"Done in {time.monotonic() - began:.1f} s.")
    return 1 if faults else 0


def _announce(console: Console, seconds: float) -> None:
    console.print(f"Ready after {seconds:.1f} s. Submitting {len(JOBS)} jobs.")
    for number, wanted in enumerate(JOBS, start=1):
        if wanted.why:
            console.print(f"Job {number} {wanted.why}.", soft_wrap=True)
    console.print()


def _falhook(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "worker", *arguments]


def _submit(running: Stack, wanted: Wanted) -> str:
    arguments = json.dumps(wanted.arguments)
    return str(_told(running, "submit", wanted.endpoint, "--arguments", arguments)["id"])


def _told(running: Stack, *arguments: str) -> dict[str, object]:
    answer = subprocess.run(
        _falhook(*arguments, "--json"),
        env=dict(running.environ),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    told: dict[str, object] = json.loads(answer.stdout)
    return told


def _ended(running: Stack, ids: list[str]) -> list[Ended]:
    counts = running.fal.counts()["requests"]
    published = running.directory / "storage" / "published"
    jobs = [_told(running, "show", job_id) for job_id in ids]
    return [
        Ended(
            wanted=wanted,
            job=job,
            asked=counts.get(str(job["request_id"]), {}),
            published=published / str(job["id"]),
        )
        for wanted, job in zip(JOBS, jobs, strict=True)
    ]
