"""For how long Redis keeps the records of ended jobs, by state."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from worker.jobs.job import FINAL, JobState

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}
FOR_EVER = float("inf")
_FORM = "write 30d, 12h or off, and STATE=30d for one state: 30d,FAILED=90d"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPeriods:
    """Seconds after its end for which a job's record stays in Redis, for each final state."""

    seconds: Mapping[JobState, float]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the periods in a text such as `30d,FAILED=90d`.

        Raises ValueError, whose message completes a sentence that names the setting.
        """
        periods: dict[JobState, float] = {}
        general = ""
        for part in filter(None, (each.strip() for each in text.split(","))):
            state, equals, period = part.rpartition("=")
            if not equals:
                if general:
                    raise ValueError(f"has two periods for all states, {general} and {part}")
                general = part
            elif state not in FINAL:
                raise ValueError(f"names {state}, but jobs end as {', '.join(sorted(FINAL))}")
            else:
                periods[JobState(state)] = _seconds(period)
        rest = _seconds(general or "30d")
        return cls(seconds={state: periods.get(state, rest) for state in FINAL})

    @property
    def longest(self) -> float:
        """The longest of them, in seconds."""
        return max(self.seconds.values())


def _seconds(period: str) -> float:
    if period == "off":
        return FOR_EVER
    match = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", period, re.ASCII)
    if match is None:
        raise ValueError(f"has the period {period!r}: {_FORM}")
    return int(match[1]) * _UNITS[match[2]]
