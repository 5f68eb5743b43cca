"""The types of events that receivers are told of, and filters of them."""

from collections.abc import Collection, Sequence

from worker.jobs.job import FINAL, JobState

# A change of state is `job.` and the state in lower case.
JOB = "job."
JOB_TYPES: tuple[str, ...] = tuple(f"{JOB}{state.lower()}" for state in JobState)
ENDS: tuple[str, ...] = tuple(kind for kind in JOB_TYPES if kind[len(JOB) :].upper() in FINAL)
# Sent to the other endpoints of the tenant, whatever their filter is.
DISABLED = "endpoint.disabled"
# Sent by hand.
TEST = "endpoint.test"
# All of them.
EVERY = f"{JOB}*"


class InvalidEvents(ValueError):
    """A filter that cannot be used; the message is a sentence with the correction."""


def checked_events(names: Collection[str]) -> tuple[str, ...]:
    """Return the filter in the order of the states; by default the four ends of a job.

    `job.*` stands for all. Raises InvalidEvents.
    """
    chosen = {name.strip().lower() for name in names}
    if unknown := sorted(chosen - {*JOB_TYPES, EVERY}):
        raise InvalidEvents(
            f"{unknown[0][:60]!r} is not a type of event: use {', '.join(JOB_TYPES)} or {EVERY}"
        )
    if EVERY in chosen:
        return JOB_TYPES
    return tuple(kind for kind in JOB_TYPES if kind in chosen) or ENDS


def type_of(state: str) -> str:
    """Return the type of the event that a job entered this state."""
    return f"{JOB}{state.lower()}"


def states_of(events: Collection[str]) -> Sequence[JobState]:
    """Return the states of which a receiver with this filter is told."""
    return [state for state in JobState if type_of(state) in events]
