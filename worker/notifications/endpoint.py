"""An endpoint: where a tenant is told of what, and how that goes."""

import json
import secrets
from base64 import b32encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

LONGEST_DESCRIPTION = 200
# Attempts that an endpoint gets at the same time.
PARALLEL = 10


class Kind(StrEnum):
    """What an endpoint is for."""

    STANDING = "standing"
    """Its address is told of the tenant's jobs."""
    JOBS = "jobs"
    """It has no address: its keys sign for the addresses that single jobs name."""
    ADDRESS = "address"
    """An address that jobs named; falhook makes it, and it has no keys of its own."""


class State(StrEnum):
    """Whether an endpoint is told of anything."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    REMOVED = "removed"


class InvalidEndpoint(ValueError):
    """An endpoint cannot be like this; the message is a sentence with the correction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedKeys:
    """A pair of keys as Redis has it; it signs until then, in Unix seconds, or for good."""

    sealed: str
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint as its record has it. Times are Unix seconds.

    `prompt` adds the prompt to its messages. `ordered` has one attempt at a time, in the order of
    the events, and a failing one holds the others up. `signs` is the endpoint whose keys sign.
    """

    id: str
    tenant: str
    url: str
    kind: Kind = Kind.STANDING
    events: tuple[str, ...] = ()
    description: str = ""
    ordered: bool = False
    prompt: bool = False
    state: State = State.ENABLED
    # Why it is disabled: by_hand, gone or failing.
    why: str = ""
    created_at: float = 0.0
    changed_at: float = 0.0
    # Failed attempts since the last one that succeeded, and when the first of them was.
    failures: int = 0
    failing_since: float | None = None
    signs: str = ""
    keys: Sequence[SealedKeys] = field(default=(), repr=False)

    @property
    def enabled(self) -> bool:
        """Whether it is told of events."""
        return self.state is State.ENABLED

    def data(self) -> dict[str, object]:
        """Return the endpoint for JSON, without its keys."""
        return {
            "id": self.id,
            "tenant": self.tenant,
            "url": self.url,
            "kind": self.kind.value,
            "events": list(self.events),
            "description": self.description,
            "ordered": self.ordered,
            "prompt": self.prompt,
            "state": self.state.value,
            "why": self.why,
            "created_at": self.created_at,
            "failures": self.failures,
            "failing_since": self.failing_since,
        }

    def encode(self) -> dict[str, str]:
        """Return the fields of its record that a person chose."""
        return {
            "id": self.id,
            "tenant": self.tenant,
            "url": self.url,
            "kind": self.kind,
            "events": " ".join(self.events),
            "description": self.description,
            "ordered": str(int(self.ordered)),
            "prompt": str(int(self.prompt)),
            "state": self.state,
            "why": self.why,
            "created_at": repr(self.created_at),
            "changed_at": repr(self.changed_at),
            "signs": self.signs,
            "keys": encode_keys(self.keys),
        }

    @classmethod
    def decode(cls, record: Mapping[str, str]) -> Self:
        """Return the endpoint of a record."""
        return cls(
            id=record["id"],
            tenant=record["tenant"],
            url=record["url"],
            kind=Kind(record["kind"]),
            events=tuple(record["events"].split()),
            description=record["description"],
            ordered=record["ordered"] == "1",
            prompt=record["prompt"] == "1",
            state=State(record["state"]),
            why=record["why"],
            created_at=float(record["created_at"]),
            changed_at=float(record["changed_at"]),
            failures=int(record.get("failures", 0)),
            failing_since=float(record["failing_since"]) if "failing_since" in record else None,
            signs=record["signs"],
            keys=decode_keys(record["keys"]),
        )


def encode_keys(keys: Sequence[SealedKeys]) -> str:
    """Return the keys as the record has them."""
    return json.dumps([[each.sealed, each.until] for each in keys])


def decode_keys(text: str) -> Sequence[SealedKeys]:
    """Return the keys that `encode_keys` wrote."""
    return [SealedKeys(sealed=sealed, until=until) for sealed, until in json.loads(text)]


def new_id() -> str:
    """Return a new id of an endpoint: 80 random bits."""
    return "ep_" + b32encode(secrets.token_bytes(10)).decode().lower()


def endpoint_key(endpoint: str, name: str) -> str:
    """Return the key `name` of an endpoint; all its keys have one hash tag."""
    return f"falhook:{{ep:{endpoint}}}:{name}"


def checked_description(text: str) -> str:
    """Return the description without space around it. Raises InvalidEndpoint."""
    stripped = text.strip()
    if len(stripped) > LONGEST_DESCRIPTION or not (stripped.isprintable() or not stripped):
        raise InvalidEndpoint(
            f"A description has at most {LONGEST_DESCRIPTION} printable characters."
        )
    return stripped
