"""What jobs did since the beginning, counted by the scripts that change their records.

So a worker that is killed, a message that comes twice and a replay miscount nothing: a change that
was made is counted with it, and one that was refused only as refused.

Redis key, of each shard, which is never deleted:

falhook:{2a}:m  hash, about 100 fields, whose values only grow:
    mv|FROM|TO|N                moves between states; N is the place of the time in FROM in BOUNDS,
                                from 1, or 0 if it is not known. FROM is NEW for a new record
    refused|STATE               changes that did not fit the record; NONE: there was no record
    end|ENDPOINT|STATE|REASON   jobs that ended
    usd|ENDPOINT|SOURCE         price of rendered clips in millionths of a dollar, and what says so
    cb|OUTCOME                  callbacks, by what ingesting them did
    bytes|DIRECTION             bytes of downloaded videos (in) and of published files (out)
    ffmpeg                      seconds that ffmpeg worked, in thousandths

A move is counted by one command, since commands are what a busy Redis runs out of: its value is
1,000,000,000,000 for each move, plus the time in FROM in hundredths of a second, at most 150,000 s.
After a thousand, they go on to two fields: |n has the moves, and |s the hundredths.
"""

from collections.abc import Mapping
from enum import StrEnum

from webhook.shards import key_of

# Name of the key of a shard.
COUNTS = "m"
# Upper bounds of the times in a state, in seconds; beyond the last one is one place more.
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
MOVED = 1_000_000_000_000


class Ingested(StrEnum):
    """What ingesting a callback did."""

    ACCEPTED = "accepted"
    """It ended the render."""
    LATE = "late"
    """It did so although the job had expired."""
    UNFETCHED = "unfetched"
    """It brought no result, so that fal is asked for it."""
    DUPLICATE = "duplicate"
    """The record says the same."""
    CONFLICT = "conflict"
    """It contradicts the record."""
    KEPT = "kept"
    """Its result came after the job's end, and waits for a retry."""
    ORPHANED = "orphaned"
    """No record is there for it."""
    SET_ASIDE = "set_aside"
    """Ingesting it crashed again and again."""
    LOST = "lost"
    """None came before the deadline."""


def counts_key(job_id: str) -> str:
    """Return the key of the counts of the job's shard."""
    return key_of(job_id, COUNTS)


def callback(outcome: Ingested) -> Mapping[str, int]:
    """Return the count of one callback."""
    return {f"cb|{outcome}": 1}


def bytes_in(number: int) -> Mapping[str, int]:
    """Return the count of bytes that were downloaded."""
    return {"bytes|in": number}


def bytes_out(number: int) -> Mapping[str, int]:
    """Return the count of bytes that were published."""
    return {"bytes|out": number}


def ffmpeg_seconds(seconds: float) -> Mapping[str, int]:
    """Return the count of seconds that ffmpeg worked."""
    return {"ffmpeg": round(seconds * 1000)}
