"""Writes of one turn of the event loop are sent as one."""

import asyncio
from collections.abc import Callable

from webhook.server.coalesced_writes import CoalescedWrites


class Recording(asyncio.Transport):
    """A transport that records its writes, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


def written(*turns: Callable[[CoalescedWrites, Recording], None]) -> list[bytes]:
    """Return the writes to the transport if each function is called in its own turn."""

    async def run() -> list[bytes]:
        loop = asyncio.get_running_loop()
        transport = Recording()
        coalesced = CoalescedWrites(transport, loop)
        for turn in turns:
            turn(coalesced, transport)
            over = loop.create_future()
            loop.call_soon(over.set_result, None)
            await over
        return transport.writes

    return asyncio.run(run())


def two(coalesced: CoalescedWrites, _transport: Recording) -> None:
    coalesced.write(b"head ")
    coalesced.write(b"body")


def test_the_writes_of_a_turn_are_sent_as_one() -> None:
    """Head and body of a response are one packet; the next response is another."""
    assert [b"head body", b"head body"] == written(two, two)


def test_a_whole_response_is_sent_at_once_but_in_order() -> None:
    """It waits only for what was written before it."""

    def alone(coalesced: CoalescedWrites, transport: Recording) -> None:
        coalesced.write_whole(b"whole")
        assert [b"whole"] == transport.writes

    def behind(coalesced: CoalescedWrites, _transport: Recording) -> None:
        coalesced.write(b"first ")
        coalesced.write_whole(b"then")

    assert [b"whole", b"first then"] == written(alone, behind)


def test_buffered_data_is_sent_before_the_close() -> None:
    """The last response on a connection is complete."""

    def last(coalesced: CoalescedWrites, transport: Recording) -> None:
        two(coalesced, transport)
        coalesced.close()

    assert [b"head body"] == written(last)


def test_nothing_is_written_to_a_closed_connection() -> None:
    """A peer that hung up or was cut off gets no response."""

    def gone(coalesced: CoalescedWrites, transport: Recording) -> None:
        two(coalesced, transport)
        transport.closed = True

    def cut(coalesced: CoalescedWrites, transport: Recording) -> None:
        two(coalesced, transport)
        coalesced.abort()

    def late(coalesced: CoalescedWrites, transport: Recording) -> None:
        transport.closed = True
        coalesced.write_whole(b"whole")

    assert ([], [], []) == (written(gone), written(cut), written(late))
