"""An event of a job, as answers and streams of the API have it."""

import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from worker.jobs.change import Event


def _unless_absent(description: str, **options: Any) -> Any:
    """Return a field that is left out where an event has none."""
    return Field(default=None, description=description, exclude_if=_absent, **options)


def _absent(value: object) -> bool:
    return value is None


class JobEvent(BaseModel):
    """One event of a job. It never has inputs; fields that say nothing are absent."""

    model_config = ConfigDict(frozen=True, validate_by_name=True, serialize_by_alias=True)

    id: str = Field(description="The job's id.")
    event: str | None = _unless_absent(
        "The event's own id, the same if it arrives twice; absent in the history of a job.",
        examples=["1764500000000-0@2a"],
    )
    at: float = Field(description="When it happened, in Unix seconds.")
    name: str = Field(description="What happened, such as created, moved or progress.")
    from_: str | None = _unless_absent(
        "The state before; absent when the job was created.", alias="from"
    )
    to: str = Field(description="The state after; the same if it did not change.")
    state: str = Field(description="The same as `to`.")
    tenant: str | None = _unless_absent("The job's tenant, unless it is default.")
    step: str | None = _unless_absent("The step, such as falhook.download.")
    reason: str | None = _unless_absent("The reason code.")
    sentence: str | None = _unless_absent("What happened, and the correction, for people.")
    attempt: int | None = _unless_absent("The number of the POST to fal.")
    request_id: str | None = _unless_absent("fal's id of the request.")
    fraction: float | None = _unless_absent("How much is done, 0 to 1.")
    left: float | None = _unless_absent("Seconds that are left, estimated.")
    wait: float | None = _unless_absent("Seconds until the next try.")
    method: str | None = _unless_absent("How the clip was made.")
    metadata: dict[str, JsonValue] | None = _unless_absent(
        "In changes of state: the metadata that events carry."
    )
    manifest: str | None = _unless_absent("The address of the manifest, once published.")
    files: list[str] | None = _unless_absent("The addresses of the files, once published.")

    @classmethod
    def of(cls, event_id: str, event: Event) -> Self:
        """Return the event of a stream's entry, or of a job's history: that has no id."""
        fields: dict[str, object] = {
            name: event[name] for name in _TEXTS if event.get(name, "") != ""
        }
        fields |= {name: _json(event, name, kind) for name, kind in _JSON.items()}
        fields["manifest"] = (
            _address(event["id"], event["manifest"]) if "manifest" in event else None
        )
        files = fields["files"]
        if isinstance(files, list):
            fields["files"] = [_address(event["id"], str(file)) for file in files]
        return cls.model_validate({**fields, "event": event_id or None, "state": event["to"]})

    def as_json(self) -> str:
        """Return the event as one line of JSON."""
        return self.model_dump_json()


# The fields that are passed on; any other one of the stream stays inside.
_TEXTS = (
    *("id", "at", "name", "from", "to", "tenant", "step", "reason", "sentence", "attempt"),
    *("request_id", "fraction", "left", "wait", "method"),
)
_JSON: Mapping[str, type] = {"metadata": dict, "files": list}


def _json(event: Event, name: str, kind: type) -> object:
    """Return a field that is JSON; None if it is another one of the same name, such as a number."""
    if not event.get(name, "").startswith(("{", "[")):
        return None
    found = json.loads(event[name])
    return found if isinstance(found, kind) else None


def _address(job_id: str, stored: str) -> str:
    """Return the address of a file here, from the one in the storage, which is nobody's business.

    Events name no files in folders.
    """
    return f"/v1/jobs/{job_id}/files/{stored.rpartition('/')[2]}"
