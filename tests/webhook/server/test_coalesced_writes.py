"""Writes of one turn of the event loop leave as one."""

import asyncio
from collections.abc import Callable

from webhook.server.coalesced_writes import CoalescedWrites


class Recording(asyncio.Transport):
    """Notes each write it is given, and whether it was ended."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.ended

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = True


def written(*turns: Callable[[CoalescedWrites, Recording], None]) -> list[bytes]:
    """What reached the transport when each function was called in a turn of its own."""

    async def run() -> list[bytes]:
        loop = asyncio.get_running_loop()
        transport = Recording()
        gathered = CoalescedWrites(transport, loop)
        for turn in turns:
            turn(gathered, transport)
            over = loop.create_future()
            loop.call_soon(over.set_result, None)
            await over
        return transport.writes

    return asyncio.run(run())


def two(gathered: CoalescedWrites, _transport: Recording) -> None:
    gathered.write(b"head ")
    gathered.write(b"body")


def test_the_writes_of_a_turn_leave_as_one() -> None:
    """Head and body of an answer are one packet, and the next answer is another."""
    assert written(two, two) == [b"head body", b"head body"]


def test_what_waits_is_sent_before_the_end() -> None:
    """An answer after which the connection is closed arrives whole."""

    def last(gathered: CoalescedWrites, transport: Recording) -> None:
        two(gathered, transport)
        gathered.close()

    assert written(last) == [b"head body"]


def test_nothing_is_written_to_a_connection_that_ended() -> None:
    """A peer that hangs up, or is cut off, before its answer gets none."""

    def gone(gathered: CoalescedWrites, transport: Recording) -> None:
        two(gathered, transport)
        transport.ended = True

    def cut(gathered: CoalescedWrites, transport: Recording) -> None:
        two(gathered, transport)
        gathered.abort()

    assert (written(gone), written(cut)) == ([], [])
