"""Jobs that ended as FAILED or EXPIRED, written as the pipeline writes them."""

from collections.abc import Iterable, Mapping

from tests.factories.world import ENDPOINT
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.types import Json

S = JobState
ESTIMATE: Mapping[str, Json] = {
    "usd": "1.40",
    "seconds": 5,
    "rate": "$0.28/s",
    "confidence": "high",
    "source": "fal",
}
PAYLOAD = {"video": {"url": "https://v3.fal.media/files/a/b.mp4"}}


def add_failed(
    store: JobStore,
    job_id: str,
    *,
    tenant: str = "default",
    reason: str = "storage_full",
    sentence: str = "the disk is full",
    rendered: bool = True,
    to: JobState = S.FAILED,
    endpoint: str = ENDPOINT,
) -> None:
    """Add a job and let it fail: after its render, for which fal is paid, or at it."""
    job = Job(
        id=job_id,
        endpoint=endpoint,
        arguments={"prompt": "A red fox in the snow"},
        tenant=tenant,
        estimate=ESTIMATE,
        attempt=1,
        posted=1,
        state=S.SUBMITTED,
    )
    assert store.add(job, due=0, event={"name": "created"})
    request = {"request_id": f"r-{job_id}", "response_url": "", "cancel_url": ""}
    change(store, job_id, None, request, [S.SUBMITTED])
    if rendered:
        change(store, job_id, S.RENDERED, {"payload": PAYLOAD, "callback": "c"}, [S.SUBMITTED])
    facts = {"step": "falhook.download", "reason": reason, "sentence": sentence}
    change(store, job_id, to, facts, [S.SUBMITTED, S.RENDERED])


def change(
    store: JobStore,
    job_id: str,
    to: JobState | None,
    fields: Mapping[str, object],
    expected: Iterable[JobState],
) -> None:
    """Change the record of a job, which must be in one of these states."""
    event = {"name": "moved", **{name: str(value)[:200] for name, value in fields.items()}}
    assert store.change(job_id, expected, Change(to=to, set=fields, due=0, event=event))
