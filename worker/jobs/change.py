"""A change of a record: its new state and fields, and the conditions under which it applies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from worker.jobs.job import JobState

Event: TypeAlias = Mapping[str, str]

# The fields of a job that no worker has leased and no step of which has started.
RESET = MappingProxyType({"lease_owner": "", "lease_until": 0, "tries": 0, "waits": 0, "wakes": 0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A compare-and-set of one record; transition.lua explains each part."""

    to: JobState | None = None
    set: Mapping[str, object] | None = None
    guard: Mapping[str, object] | None = None
    bump: tuple[str, ...] = ()
    # Unix seconds; None leaves the timer unchanged, 0 removes it.
    due: float | None = None
    unleased_at: float | None = None
    event: Event | None = None
    # Fields that are removed from the record: they have their defaults then.
    drop: tuple[str, ...] = ()
    # Fields of the event that the job's history does not keep.
    unkept: tuple[str, ...] = ()
    # Names of earlier events that the job's history loses.
    forget: tuple[str, ...] = ()
    # What is counted with the change besides the move itself: worker/jobs/counts.py.
    count: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a step: the state to move to, the fields to write and the event to append."""

    to: JobState
    set: Mapping[str, object] = field(default_factory=dict)
    # Fields of `set` that are also written if another has moved the job meanwhile.
    anyway: Mapping[str, object] | None = None
    event: Event = field(default_factory=dict)
    # Seconds until the job must have moved again; None: until a lost wake counts as lost.
    due: float | None = None
    drop: tuple[str, ...] = ()
    unkept: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()
    count: Mapping[str, int] | None = None
