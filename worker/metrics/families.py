"""The figures of all shards as metrics."""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import Metric

from worker.jobs.counts import BOUNDS, MOVED, Ingested
from worker.jobs.job import AWAITING, FINAL, MOVES, JobState
from worker.metrics.fold import Figures
from worker.metrics.manifest import Family
from worker.metrics.times import Times

_MICRO = 1_000_000


def families(figures: Figures) -> Iterator[Metric]:
    """Yield the metrics. Raises Undeclared for one that the manifest does not have."""
    yield from _counted(figures.counts)
    yield from _present(figures)


def _counted(counts: Mapping[str, int]) -> Iterator[Metric]:
    yield from _moves(counts)
    refused = Family("falhook_refused_changes")
    for state in ("NONE", *JobState):
        refused.add(counts.get(f"refused|{state}", 0), state=state)
    callbacks = Family("falhook_ingested_callbacks")
    for outcome in Ingested:
        callbacks.add(counts.get(f"cb|{outcome}", 0), outcome=outcome)
    media = Family("falhook_media_bytes")
    for direction in ("in", "out"):
        media.add(counts.get(f"bytes|{direction}", 0), direction=direction)
    ffmpeg = Family("falhook_ffmpeg_seconds")
    ffmpeg.add(counts.get("ffmpeg", 0) / 1000)
    ended, spent = Family("falhook_ended_jobs"), Family("falhook_spend_usd")
    for name, value in sorted(counts.items()):
        match name.split("|"):
            case ["end", endpoint, state, reason]:
                ended.add(value, endpoint=endpoint, state=state, reason=reason)
            case ["usd", endpoint, source]:
                spent.add(value / _MICRO, endpoint=endpoint, source=source)
    yield from (each.metric for each in (refused, callbacks, media, ffmpeg, ended, spent))


def _moves(counts: Mapping[str, int]) -> Iterator[Metric]:
    # Alerts need the zeros: what is absent has no increase.
    numbers = {(str(before), str(after)): 0 for before in MOVES for after in MOVES[before]}
    numbers["NEW", "QUEUED"] = 0
    times = {str(state): Times(BOUNDS) for state in JobState if state not in FINAL}
    for name, value in counts.items():
        match name.split("|"):
            case ["mv", before, after, place, *half]:
                number, hundredths = _halves(value, half)
                numbers[before, after] = numbers.get((before, after), 0) + number
                if int(place) and before in times:
                    times[before].places[int(place) - 1] += number
                    times[before].seconds += hundredths / 100
    moved, spent = Family("falhook_moves"), Family("falhook_state_seconds")
    for (before, after), number in sorted(numbers.items()):
        moved.add(number, **{"from": before, "to": after})
    for state, time in times.items():
        spent.add_times(time, state=state)
    yield from (moved.metric, spent.metric)


def _halves(value: int, half: Sequence[str]) -> tuple[int, int]:
    """Return the moves and the hundredths of a second of a field, which may be one half alone."""
    if not half:
        return divmod(value, MOVED)
    return (value, 0) if half == ["n"] else (0, value)


def _present(figures: Figures) -> Iterator[Metric]:
    jobs, since = Family("falhook_jobs"), Family("falhook_oldest_job_timestamp_seconds")
    for state, number in figures.jobs.items():
        jobs.add(number, state=state)
    for state, at in figures.oldest.items():
        since.add(at, state=state)
    pauses = Family("falhook_paused_submissions")
    for scope, number in figures.paused.items():
        pauses.add(number, scope=scope)
    yield from (jobs.metric, since.metric, pauses.metric)
    numbers: dict[str, float | None] = {
        "falhook_jobs_at_fal": sum(figures.jobs[state] for state in AWAITING),
        "falhook_overdue_jobs": figures.overdue,
        "falhook_inbox_jobs": figures.inbox,
        "falhook_owed_events": figures.owed,
        "falhook_oldest_owed_event_timestamp_seconds": figures.oldest_owed,
        "falhook_dead_deliveries": figures.dead.number,
        "falhook_last_dead_delivery_timestamp_seconds": figures.dead.last,
        "falhook_clock_skew_seconds": figures.skew,
        "falhook_redis_memory_bytes": figures.memory,
        "falhook_redis_memory_limit_bytes": figures.memory_limit,
        "falhook_redis_unsaved": figures.unsaved,
    }
    for name, value in numbers.items():
        if value is not None:
            family = Family(name)
            family.add(value)
            yield family.metric
