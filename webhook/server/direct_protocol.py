"""Requests that arrive whole, answered without a task: nearly all callbacks.

A scope, uvicorn's cycle, a task and all that it awaits take as much time as everything else that is
done for a callback, its signature excepted. Requests that arrive in pieces, that are queued behind
another or are not plain, and those that nobody takes, go through ASGI as in BoundedProtocol.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from webhook.responses import WholeResponse
from webhook.server.coalesced_writes import CoalescedWrites
from webhook.server.http_protocol import BoundedProtocol, HttpLimits
from webhook.server.whole_response import wire


class WholeRequest(NamedTuple):
    """A POST request that has arrived; `peer` is the address and port of its sender."""

    url: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    peer: tuple[str, int] | None


Respond: TypeAlias = Callable[[WholeResponse], None]
# Returns whether it takes the request; if so, it answers it once, now or later.
Direct: TypeAlias = Callable[[WholeRequest, Respond], bool]


class DirectProtocol(BoundedProtocol):
    """One connection, whose requests are first offered to `direct`."""

    direct: Direct

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._feeding = False
        # The body of the request that is being parsed, unless it has gone through ASGI.
        self._held: bytearray | None = None
        self._idle_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        self._feeding = True
        super().data_received(data)
        self._feeding = False
        if self._held is not None:
            self._pass_on()

    def on_headers_complete(self) -> None:
        if self._is_plain():
            self._check_url()
            self._head_complete = True
            self._held = bytearray()
        else:
            super().on_headers_complete()

    def _is_plain(self) -> bool:
        parser = self.parser
        return (
            self._feeding
            and (self.cycle is None or self.cycle.response_complete)
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and not self.expect_100_continue
            and not self.flow.write_paused
        )

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
        else:
            self._held += body

    def on_message_complete(self) -> None:
        if self._held is None:
            super().on_message_complete()
            return
        cycle = _DirectCycle(self)
        request = WholeRequest(self.url, self.headers, bytes(self._held), self.client)
        if self.direct(request, cycle.respond):
            self._held = None
            self._receiving = False
            self.cycle = cast(Any, cycle)
        else:
            self._pass_on()
            super().on_message_complete()

    def _pass_on(self) -> None:
        """Continue with the present request as if it had not been held."""
        held, self._held = self._held, None
        super().on_headers_complete()
        if held:
            super().on_body(bytes(held))

    def on_response_complete(self) -> None:
        if self.pipeline or self._receiving or self.transport.is_closing():
            super().on_response_complete()
            return
        # uvicorn starts a timer for each answer, and cancels it with the next request.
        self.server_state.total_requests += 1
        self._began = None
        self._idle_since = self.loop.time()
        self.flow.resume_reading()

    def _check_time(self) -> None:
        idle = self.loop.time() - self._idle_since if self._began is None else 0.0
        if idle >= self.timeout_keep_alive:
            self.timeout_keep_alive_handler()
        super()._check_time()


class _DirectCycle:
    """Stands in for uvicorn's RequestResponseCycle, to which no task belongs here."""

    __slots__ = ("_protocol", "disconnected", "keep_alive", "response_complete")

    def __init__(self, protocol: DirectProtocol) -> None:
        self._protocol = protocol
        self.response_complete = False
        # uvicorn sets these when the connection is lost, and when the server stops.
        self.disconnected = False
        self.keep_alive = True

    @property
    def message_event(self) -> "_DirectCycle":
        """What uvicorn sets when the connection is lost."""
        return self

    def set(self) -> None:
        """Wake nobody."""

    def respond(self, response: WholeResponse) -> None:
        """Answer the request, if its sender is still there."""
        if self.disconnected:
            return
        protocol = self._protocol
        self.response_complete = True
        data = wire(response, protocol.server_state.default_headers, keep_alive=self.keep_alive)
        cast(CoalescedWrites, protocol.transport).write_whole(data)
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()


def direct_to(direct: Direct, limits: HttpLimits) -> type[DirectProtocol]:
    """Return a protocol class with these limits that first offers each request to `direct`."""
    members = {"limits": limits, "direct": staticmethod(direct)}
    return type("DirectProtocol", (DirectProtocol,), members)
