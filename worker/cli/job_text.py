"""One job in words: its title, age and cost, and where its files are."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from worker.jobs.history import history
from worker.jobs.job import FINAL, Job, JobState

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


def title_of(job: Job) -> str:
    """Return the metadata `title`, or ""."""
    title = job.metadata.get("title")
    return title if isinstance(title, str) else ""


def age_text(seconds: float) -> str:
    """Return an age in its largest unit: `40s`, `12m`, `3h`, `5d`."""
    for unit, letter in _UNITS:
        if seconds >= unit:
            return f"{seconds // unit:.0f}{letter}"
    return f"{max(0.0, seconds):.0f}s"


def cost_text(job: Job) -> str:
    """Return what the job costs in US$; `≤` if fal may bill it or not, "" if it is unknown."""
    if _never_sent(job):
        return "$0"
    usd = job.estimate.get("usd")
    if usd is None:
        return ""
    return f"≤${usd}" if _may_be_billed(job) else f"${usd}"


def cost_sentence(job: Job) -> str:
    """Return what fal bills for the job, or may; "" if that is unknown or nothing was sent."""
    usd = job.estimate.get("usd")
    if usd is None or not (job.posted or job.request_id):
        return ""
    if job.state is JobState.CANCELLED:
        rendered = bool(job.payload)
        return f"about ${usd}{', rendered anyway' if rendered else ', unless fal stopped in time'}"
    if _may_be_billed(job):
        # https://fal.ai/docs : only successful outputs are billed.
        return f"fal may bill about ${usd}, though it bills successful outputs only"
    return f"about ${usd}"


def _never_sent(job: Job) -> bool:
    return job.state in FINAL and not (job.posted or job.request_id or job.callback)


def _may_be_billed(job: Job) -> bool:
    if job.state not in FINAL:
        return False
    from worker.fal.result import publishable

    has_result = bool(job.outputs or job.source) or publishable(
        job.payload, needs_file=bool(job.needs_file)
    )
    return not has_result


def files_of(job: Job) -> Sequence[str]:
    """Return the addresses of the job's published files, its manifest last: paths or URLs.

    A path is returned as a file: URL, which terminals open. Empty before the publication.
    """
    manifest = next((event["manifest"] for event in history(job) if "manifest" in event), "")
    if job.state is not JobState.PUBLISHED or not manifest:
        return ()
    files = job.outputs.get("files")
    names = [*(files if isinstance(files, Mapping | list) else ()), PurePosixPath(manifest).name]
    base = manifest.rpartition("/")[0]
    return [_link(f"{base}/{name}") for name in names]


def _link(address: str) -> str:
    return Path(address).as_uri() if address.startswith("/") else address
