"""Limits of the whole process: a flood of callbacks gets 503 before memory grows."""

from dataclasses import dataclass

MAX_REQUESTS = 2_000
MAX_BYTES = 64 * 1024 * 1024


class Overloaded(Exception):
    """A limit of the process is reached; fal must deliver the callback again."""


@dataclass(slots=True, kw_only=True)
class Capacity:
    """Counts of the callbacks in progress and of the bytes of their bodies (`body_bytes`)."""

    max_requests: int = MAX_REQUESTS
    max_bytes: int = MAX_BYTES
    requests: int = 0
    body_bytes: int = 0

    def enter(self) -> None:
        """Count a callback in; `leave` must follow. Raises Overloaded."""
        if self.requests >= self.max_requests:
            raise Overloaded
        self.requests += 1

    def has_room(self, size: int) -> bool:
        """Return whether a callback with a body of `size` bytes may be counted in and reserved."""
        return self.requests < self.max_requests and self.body_bytes + size <= self.max_bytes

    def leave(self) -> None:
        """Count a callback out."""
        self.requests -= 1

    def hold(self, size: int) -> None:
        """Reserve `size` bytes; `release` must follow. Raises Overloaded."""
        if self.body_bytes + size > self.max_bytes:
            raise Overloaded
        self.body_bytes += size

    def release(self, size: int) -> None:
        """Free `size` reserved bytes."""
        self.body_bytes -= size
