"""How much the process takes on at a time, so that a flood meets a 503 before memory grows."""

from dataclasses import dataclass

MAX_REQUESTS = 2_000
MAX_BYTES = 64 * 1024 * 1024


class Overloaded(Exception):
    """There is no room for another callback; fal must try again."""


@dataclass(slots=True, kw_only=True)
class Capacity:
    """Callbacks under way, and the bytes of their bodies in memory."""

    max_requests: int = MAX_REQUESTS
    max_bytes: int = MAX_BYTES
    requests: int = 0
    held: int = 0

    def enter(self) -> None:
        """Take one callback on; `leave` must follow. Raises Overloaded."""
        if self.requests >= self.max_requests:
            raise Overloaded
        self.requests += 1

    def leave(self) -> None:
        """The callback is answered."""
        self.requests -= 1

    def hold(self, size: int) -> None:
        """Keep `size` more bytes; `release` must follow. Raises Overloaded."""
        if self.held + size > self.max_bytes:
            raise Overloaded
        self.held += size

    def release(self, size: int) -> None:
        """Bytes held are free again."""
        self.held -= size
