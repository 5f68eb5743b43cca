"""The threads of requests: results and errors reach the caller, and nobody waits for another."""

import asyncio
import threading

import pytest

from api.request_threads import RequestThreads


def test_a_result_and_an_error_reach_the_caller() -> None:
    """A function returns or raises in a thread; its caller gets the same."""

    async def run() -> None:
        threads = RequestThreads(1)
        assert await threads.run(threading.get_ident) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
        assert 2 == await threads.run(lambda: 2)

    asyncio.run(run())


def test_as_many_run_at_once_as_there_are_threads() -> None:
    """Three functions that wait for each other all return."""

    async def run() -> list[int]:
        threads, together = RequestThreads(3), threading.Barrier(3)
        return await asyncio.gather(*(threads.run(lambda: together.wait(20)) for _ in range(3)))

    assert [0, 1, 2] == sorted(asyncio.run(run()))


def test_a_caller_that_gave_up_stops_nothing() -> None:
    """Its function ends later, and the thread takes the next one."""

    async def run() -> int:
        threads, released = RequestThreads(1), threading.Event()
        task = asyncio.create_task(threads.run(lambda: released.wait(20)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        released.set()
        return await threads.run(lambda: 1)

    assert 1 == asyncio.run(run())
