"""The screen of `make local`: its addresses, then one line for each job that moves.

The jobs are read from the streams of events in Redis, as any program may follow them.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

import redis
from redis.typing import KeyT, StreamIdT

# A stream for each shard of the records.
EVENTS = tuple(f"falhook:{{{shard:02x}}}:events" for shard in range(64))
# Seconds: how long a read waits for events, and the pause after a failed one.
_BLOCK = 1.0
_Entries = list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]
# The id of the entry after which each stream is read.
_Places = Mapping[str, bytes]


class Screen:
    """Lines of text for a person, each with the time of day; safe for threads."""

    def __init__(self, stream: TextIO, published: Path) -> None:
        """Write to `stream`; `published` is the directory of published jobs."""
        self._stream = stream
        self._published = published
        self._lock = threading.Lock()
        # Why each job waits, as the screen says.
        self._waits: dict[str, str] = {}

    def say(self, text: str) -> None:
        """Write one line. Raise OSError if the stream is closed."""
        with self._lock:
            self._stream.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
            self._stream.flush()

    def show(self, event: Mapping[str, str]) -> None:
        """Write the line of an event that moved its job, or made it wait for another reason."""
        state, job = event.get("to", ""), event.get("job", "")
        if state == event.get("from"):
            self._show_wait(job, state, event)
            return
        self._waits.pop(job, None)
        why = event.get("sentence") or event.get("reason", "")
        if state == "PUBLISHED":
            why = (self._published / job).as_uri()
        self.say(f"{job}  {state:<14}  {why}".rstrip())

    def _show_wait(self, job: str, state: str, event: Mapping[str, str]) -> None:
        reason = event.get("reason", "") if event.get("name") == "retried" else ""
        if reason and self._waits.get(job) != reason:
            self._waits[job] = reason
            self.say(f"{job}  {state:<14}  waits: {reason}")


@contextmanager
def jobs_shown(url: str, screen: Screen, closed: Callable[[], None]) -> Iterator[None]:
    """Show each move of a job while the block runs; call `closed` if the screen was closed."""
    ended = threading.Event()
    arguments = (url, _newest(url), screen, closed, ended)
    thread = threading.Thread(target=_follow, args=arguments, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _follow(
    url: str, since: _Places, screen: Screen, closed: Callable[[], None], ended: threading.Event
) -> None:
    try:
        for event in _events(url, since, ended):
            screen.show(event)
    except OSError:
        closed()


def _events(url: str, since: _Places, ended: threading.Event) -> Iterator[Mapping[str, str]]:
    # The read blocks for less than the socket's timeout; a Redis that restarts is waited for.
    last = dict(since)
    with redis.Redis.from_url(url, socket_timeout=5 * _BLOCK) as client:
        while not ended.is_set():
            try:
                answer = client.xread(cast(dict[KeyT, StreamIdT], last), block=int(1000 * _BLOCK))
            except redis.RedisError:
                ended.wait(_BLOCK)
                continue
            for stream, entries in cast(_Entries, answer or []):
                for entry, fields in entries:
                    last[stream.decode()] = entry
                    yield {k.decode(): v.decode(errors="replace") for k, v in fields.items()}


def _newest(url: str) -> _Places:
    """Return the id of the last event of each stream before the screen begins."""
    with (
        redis.Redis.from_url(url, socket_timeout=5 * _BLOCK) as client,
        client.pipeline(transaction=False) as calls,
    ):
        for stream in EVENTS:
            calls.xrevrange(stream, count=1)
        answers = cast(list[list[tuple[bytes, object]]], calls.execute())
    newest = (entries[0][0] if entries else b"0" for entries in answers)
    return dict(zip(EVENTS, newest, strict=True))
