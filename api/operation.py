"""One route as data: the table from which both the router and the OpenAPI document are made."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from webhook.redis.replicas import Argument
from worker.api_keys.api_key import ApiKey
from worker.api_keys.scopes import Scope

# The largest body, if an operation does not say otherwise.
BODY_BYTES = 64 * 1024


class Rate(StrEnum):
    """The limits that requests of a key count against."""

    CREATE = "create"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Count:
    """How a request counts: `settle` takes Redis's answer to `command`, or raises ProblemError."""

    command: Sequence[Argument]
    settle: Callable[[object], None]


@dataclass(slots=True, kw_only=True)
class Call:
    """A request that may be carried out: its key was checked, its fields are valid.

    `query` and `body` are values of the operation's models; `key` is None for a public operation.
    `count` is set for an operation that counts its requests itself.
    """

    request: Request
    request_id: str
    key: ApiKey | None = None
    query: Any = None
    body: Any = None
    count: Count | None = None

    @property
    def tenant(self) -> str:
        """The tenant for whom the request acts."""
        assert self.key is not None, "a public operation acts for nobody"
        return self.key.tenant


# A function that is not a coroutine runs in a thread, and may block.
Handler: TypeAlias = Callable[[Call], Response] | Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an operation: its model, or its media type if it is not JSON.

    `also` are media types in which the client may ask for it instead. `links` are operations that
    the answer leads to, each with the parameters that it has for them.
    https://spec.openapis.org/oas/v3.1.1.html#link-object
    """

    description: str
    model: type[BaseModel] | None = None
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method of a path; `problems` are the kinds with which it may fail beside those of all.

    `scope` is what the key must have; None if it needs no key. `raw_bodies` are the media types of
    a body that the handler reads itself, with its model if it has one. `headers` are those that the
    operation reads, with their meaning. One that `counts` has a handler that counts its requests,
    in the round trip in which it reads and before it changes anything.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    scope: Scope | None
    answers: Mapping[int, Answer]
    description: str = ""
    tag: str = "jobs"
    rate: Rate = Rate.READ
    counts: bool = False
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_optional: bool = False
    body_bytes: int = BODY_BYTES
    raw_bodies: Mapping[str, type[BaseModel] | None] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
