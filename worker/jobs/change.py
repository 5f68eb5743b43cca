"""A change of a record: what should become of it, and what must hold for that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from worker.jobs.job import JobState

Event: TypeAlias = Mapping[str, str]

# What stands on the record of a job that nobody is at, and no step of which has begun.
RESET = MappingProxyType({"lease_owner": "", "lease_until": 0, "tries": 0, "waits": 0, "wakes": 0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What should become of a record; transition.lua has the meaning of each part."""

    to: JobState | None = None
    set: Mapping[str, object] | None = None
    guard: Mapping[str, object] | None = None
    bump: tuple[str, ...] = ()
    # None leaves the timer as it is, 0 takes it away; else Unix seconds.
    due: float | None = None
    unleased_at: float | None = None
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a step achieved: the state to move to, what to write down, and what to tell."""

    to: JobState
    set: Mapping[str, object] = field(default_factory=dict)
    event: Event = field(default_factory=dict)
    # Seconds until the job is due to have moved again; None: until a lost wake counts as lost.
    due: float | None = None
