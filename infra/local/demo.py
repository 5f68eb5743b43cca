"""`make demo`: the main job, end to end, without a key or a server.

Starts the whole stack, submits three Kling jobs through the command line, shows their way live,
and tells what was published and how often fal was asked. Exit code 0 only if all went as expected.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.local.logfile import Logfile
from infra.local.stack import ROOT, Stack, stack

KLING = "fal-ai/kling-video"
FAL_OPTIONS = ("--render-seconds", "4", "--media-cache", str(ROOT / "var" / "media-cache"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A job of the demo and how it has to end."""

    endpoint: str
    arguments: Mapping[str, object]
    state: str = "PUBLISHED"


JOBS = (
    Wanted(
        endpoint=f"{KLING}/v2.1/master/text-to-video",
        arguments={"prompt": "A red fox crosses fresh snow at dawn", "duration": "5"},
    ),
    Wanted(
        endpoint=f"{KLING}/v2.1/pro/image-to-video",
        arguments={
            "prompt": "The robin lifts off",
            "image_url": "https://v3.fal.media/files/zebra/9Nrm22YyLojSTPJbZYNhh_image.webp",
            "duration": "10",
        },
    ),
    Wanted(
        endpoint=f"{KLING}/v2.5-turbo/pro/text-to-video",
        arguments={
            "prompt": "A paper boat in the rain [[sim: error-platform]]",
            "aspect_ratio": "9:16",
        },
        state="FAILED",
    ),
)


def main() -> int:
    """Run the demo; 0 if every job ended as it should and fal was asked no more than needed."""
    console = Console(highlight=False)
    began = time.monotonic()
    (ROOT / "var" / "demo").mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix=time.strftime("%H%M%S-"), dir=ROOT / "var" / "demo"))
    logfile = Logfile(directory / "stack.log")
    console.print("Starting Redis, the simulated fal and the Procfile's processes …")
    with logfile, stack(directory, logfile.write, fal_options=FAL_OPTIONS) as running:
        console.print(
            f"Ready after {time.monotonic() - began:.1f} s. Submitting {len(JOBS)} jobs.\n"
        )
        ids = [_submit(running, wanted) for wanted in JOBS]
        subprocess.run(_falhook("watch", *ids), env=dict(running.environ), check=False)
        faults = _report(console, running, ids)
    console.print(f"Log of all processes: {logfile.path.relative_to(ROOT)}", soft_wrap=True)
    for fault in faults:
        console.print(f"[red]Not as expected:[/] {fault}")
    console.print(f"Done in {time.monotonic() - began:.1f} s.")
    return 1 if faults else 0


def _falhook(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "worker", *arguments]


def _submit(running: Stack, wanted: Wanted) -> str:
    arguments = json.dumps(wanted.arguments)
    command = _falhook("submit", wanted.endpoint, "--arguments", arguments, "--json")
    answer = subprocess.run(
        command, env=dict(running.environ), check=True, stdout=subprocess.PIPE, text=True
    )
    job_id: str = json.loads(answer.stdout)["id"]
    return job_id


def _show(running: Stack, job_id: str) -> dict[str, object]:
    command = _falhook("show", job_id, "--json")
    answer = subprocess.run(
        command, env=dict(running.environ), check=True, stdout=subprocess.PIPE, text=True
    )
    job: dict[str, object] = json.loads(answer.stdout)
    return job


def _report(console: Console, running: Stack, ids: list[str]) -> list[str]:
    counts = running.fal.counts()["requests"]
    jobs = [_show(running, job_id) for job_id in ids]
    asked = [counts.get(str(job["request_id"]), {}) for job in jobs]
    console.print()
    console.print(_table(jobs, asked))
    faults = []
    for wanted, job, requests in zip(JOBS, jobs, asked, strict=True):
        if job["state"] != wanted.state:
            faults.append(f"{job['id']} is {job['state']}, not {wanted.state}")
        if [requests.get(kind) for kind in ("submit", "status", "result")] != [1, 0, 0]:
            faults.append(f"{job['id']} made other requests to fal than one submit: {requests}")
        if job["state"] == "PUBLISHED":
            faults += _published(console, running, str(job["id"]))
        else:
            console.print(f"{job['id']} was not published: {job['sentence']}")
    console.print()
    return faults


def _published(console: Console, running: Stack, job_id: str) -> list[str]:
    place = running.directory / "storage" / "published" / job_id
    names = ("video.mp4", "poster.jpg", "manifest.json")
    console.print(f"{place.relative_to(ROOT)}/", soft_wrap=True)
    faults = []
    for path in (place / name for name in names):
        if path.is_file() and path.stat().st_size:
            console.print(f"    {path.name:<15}{path.stat().st_size:>9,} bytes")
        else:
            faults.append(f"{path} is missing or empty")
    return faults


def _table(jobs: list[dict[str, object]], asked: list[dict[str, object]]) -> Table:
    names = [str(job["id"]) for job in jobs]
    table = Table(title="Seconds in each state, then requests made to fal", title_justify="left")
    for name in ("", *names):
        table.add_column(name, no_wrap=True, justify="right" if name else "left")
    times = [_spent(job["history"]) for job in jobs]
    for state in ("QUEUED", "SUBMITTING", "SUBMITTED", "RENDERED", "DOWNLOADED", "TAGGED"):
        table.add_row(state, *(f"{spent[state]:.2f}" if state in spent else "" for spent in times))
    table.add_row("ended as", *(str(job["state"]) for job in jobs), end_section=True)
    for kind in ("submit", "status", "result"):
        table.add_row(f"{kind} requests", *(str(requests.get(kind, "?")) for requests in asked))
    return table


def _spent(history: object) -> dict[str, float]:
    """Seconds in each state that was left, from the job's events."""
    spent: dict[str, float] = {}
    since, state = 0.0, ""
    for event in history if isinstance(history, list) else []:
        if event["to"] == state:
            continue
        at = float(event["at"])
        if state:
            spent[state] = spent.get(state, 0.0) + at - since
        since, state = at, event["to"]
    return spent
