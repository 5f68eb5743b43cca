"""Which events a client wants; those of other tenants never."""

from dataclasses import dataclass

from api.events.entries import Entry
from worker.jobs.job import JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The events of one tenant; each set that is not empty narrows them.

    `states` are those that a job entered with the event.
    """

    tenant: str
    job_ids: frozenset[str] = frozenset()
    states: frozenset[JobState] = frozenset()
    names: frozenset[str] = frozenset()

    def has(self, entry: Entry) -> bool:
        """Return whether the client wants this event, and may see it."""
        event = entry.event
        return (
            entry.tenant == self.tenant
            and (not self.job_ids or event["id"] in self.job_ids)
            and (not self.names or event["name"] in self.names)
            and (not self.states or (event["from"] != event["to"] and event["to"] in self.states))
        )
