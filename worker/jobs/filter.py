"""What the jobs of a list have in common, and the fields of their records that decide it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from redis import Redis

from worker.jobs import earlier_layout
from worker.jobs.job import Job, JobState, encode
from worker.jobs.store import job_key
from worker.jobs.tenant import DEFAULT
from worker.types import Json

FIELDS = ("id", "tenant", "endpoint", "state", "metadata")
# These fields as the record has them; the default tenant and no metadata are absent.
Fields: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions that a job meets all; metadata that are not text are compared as JSON."""

    tenant: str
    state: JobState | None = None
    endpoint: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_narrow(self) -> bool:
        """Whether it lists only some of the tenant's jobs in the state."""
        return self.endpoint is not None or bool(self.metadata)

    def accepts(self, fields: Fields) -> bool:
        """Return whether a job with these fields is listed."""
        return (
            self.owns(fields)
            and self.endpoint in {None, fields.get("endpoint")}
            and self.state in {None, fields.get("state")}
            and self._accepts_metadata(fields)
        )

    def owns(self, fields: Fields) -> bool:
        """Return whether a job with these fields is of the tenant."""
        return fields.get("tenant", DEFAULT) == self.tenant

    def _accepts_metadata(self, fields: Fields) -> bool:
        try:
            metadata = json.loads(fields.get("metadata", "{}")) if self.metadata else {}
        except ValueError:
            return False  # a record that cannot be read
        return all(
            name in metadata and _text(metadata[name]) == value
            for name, value in self.metadata.items()
        )


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def fields_of(job: Job) -> Fields:
    """Return the fields of a whole record."""
    return encode({name: getattr(job, name) for name in FIELDS})


def read_fields(redis: Redis, job_ids: Sequence[str]) -> Mapping[str, Fields]:
    """Return the fields of those of the jobs that have a record, in one round trip."""
    read = _read_fields(redis, map(job_key, job_ids))
    if not all(read):
        earlier = _read_fields(redis, map(earlier_layout.job_key, job_ids))
        read = [fields or old for fields, old in zip(read, earlier, strict=True)]
    return {job_id: fields for job_id, fields in zip(job_ids, read, strict=True) if "id" in fields}


def _read_fields(redis: Redis, keys: Iterable[str]) -> list[dict[str, str]]:
    with redis.pipeline(transaction=False) as calls:
        for key in keys:
            calls.hmget(key, FIELDS)
        answers = cast(list[list[str | None]], calls.execute())
    return [
        {name: value for name, value in zip(FIELDS, values, strict=True) if value}
        for values in answers
    ]
