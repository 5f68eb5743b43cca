"""The verdict: fal's counts, the records and the published files, compared with each other."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.factories.listed import history_of
from tests.faults.load import Scenario
from tests.faults.system import StormSystem
from worker.jobs.job import FINAL, Job, JobState


@dataclass(slots=True, kw_only=True)
class Verdict:
    """Job ids by fault, and counts of everything else."""

    lost: list[str] = field(default_factory=list)
    paid_twice: list[str] = field(default_factory=list)
    published_twice: list[str] = field(default_factory=list)
    still_open: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)

    @property
    def faults(self) -> Mapping[str, list[str]]:
        """Return the lists that must be empty, by name."""
        return {
            "jobs lost": self.lost,
            "paid twice": self.paid_twice,
            "published twice": self.published_twice,
            "still open": self.still_open,
            "records or files broken": self.broken,
        }


def judge(system: StormSystem, scenarios: Mapping[str, Scenario]) -> Verdict:
    """Compare every job with fal's counts and with its files in storage."""
    counts = system.stack.fal.counts()
    accepted: Counter[str] = Counter()
    posted: Counter[str] = Counter()
    for url, seen in counts["webhooks"].items():
        job_id = urlsplit(url).path.split("/")[3]
        accepted[job_id] += int(str(seen.get("submit", 0)))
        posted[job_id] += int(str(seen.get("submit_posts", 0)))
    verdict = Verdict()
    for kind in ("callbacks", "callback_accepted", "submit_posts", "submit", "status", "result"):
        verdict.counted[kind] = int(str(counts["total"][kind]))
    for job_id, scenario in scenarios.items():
        job = system.records.get(job_id)
        if job is None:
            verdict.lost.append(job_id)
            continue
        _judge(system, verdict, job, scenario, (accepted[job_id], posted[job_id]))
    if verdict.counted["status"]:
        verdict.broken.append(f"{verdict.counted['status']} requests for a status")
    return verdict


def _judge(
    system: StormSystem, verdict: Verdict, job: Job, scenario: Scenario, seen: tuple[int, int]
) -> None:
    accepted, posted = seen
    events = history_of(system.records, job.id)
    verdict.counted.update(event["name"] for event in events)
    verdict.counted[f"state {job.state}"] += 1
    if accepted > 1 or posted > job.attempt:
        verdict.paid_twice.append(f"{job.id} ({accepted} accepted, {posted} POSTs)")
    if job.state not in FINAL:
        verdict.still_open.append(f"{job.id} ({job.state})")
    elif _had_to_expire(job, scenario):
        verdict.counted["answer and callback both lost"] += 1
    elif job.state not in scenario.ends and accepted:
        verdict.lost.append(
            f"{job.id} ({job.state} {job.reason}; {scenario.mishap or 'no mishap'})"
        )
    elif not accepted and job.state not in {JobState.EXPIRED, JobState.FAILED}:
        verdict.broken.append(f"{job.id} is {job.state}, and fal never accepted it")
    moves = [(event["from"], event["to"]) for event in events]
    publications = sum(came != JobState.PUBLISHED == to for came, to in moves)
    if publications > 1:
        verdict.published_twice.append(job.id)
    if moves[-1][1] != job.state or publications != (job.state is JobState.PUBLISHED):
        verdict.broken.append(f"{job.id}: history and state disagree")
    _judge_files(system.storage(job.id), job, verdict)


def _had_to_expire(job: Job, scenario: Scenario) -> bool:
    """Return whether fal's answer and the callback were lost, so that the job had to expire."""
    unknown = "callback-never" in scenario.mishap and not job.request_id
    return unknown and job.state is JobState.EXPIRED


def _judge_files(directory: Path, job: Job, verdict: Verdict) -> None:
    manifest = directory / "manifest.json"
    if job.state is not JobState.PUBLISHED:
        # A job's files count as published once the manifest exists.
        if manifest.exists() and job.state is not JobState.TAGGED:
            verdict.broken.append(f"{job.id} is {job.state} with a manifest")
        return
    if not manifest.exists():
        verdict.broken.append(f"{job.id} has no manifest")
        return
    for name, record in json.loads(manifest.read_text())["files"].items():
        content = (directory / name).read_bytes() if (directory / name).exists() else b""
        if hashlib.sha256(content).hexdigest() != record["sha256"]:
            verdict.broken.append(f"{job.id}: {name} does not match its manifest")
