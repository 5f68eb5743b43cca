"""A job for output: its record as JSON, its state in colour."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from worker.jobs.job import Job, JobState

if TYPE_CHECKING:
    from rich.text import Text

COLOURS: Mapping[JobState, str] = {
    JobState.PUBLISHED: "green",
    JobState.FAILED: "red",
    JobState.EXPIRED: "red",
    JobState.CANCELLED: "yellow",
    JobState.SUBMIT_UNKNOWN: "yellow",
}


def state_text(state: JobState) -> "Text":
    """Return the state in its colour."""
    from rich.text import Text

    return Text(state, style=COLOURS.get(state, "cyan"))


def as_data(job: Job) -> Mapping[str, object]:
    """Return the job's record for JSON output, without leases and the callback's fingerprint."""
    hidden = {"lease_owner", "lease_until", "callback", "history"}
    return {name: value for name, value in asdict(job).items() if name not in hidden}
