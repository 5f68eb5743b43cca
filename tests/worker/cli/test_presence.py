"""Whether a worker serves a queue in which a watched job waits."""

from collections.abc import Callable

from kombu.exceptions import OperationalError

from tests.factories.world import ManualClock
from webhook.contract import Queue
from worker.cli.presence import PAUSE, Presence

BOTH = frozenset({Queue.SUBMIT, Queue.MEDIA})


def at_once(work: Callable[[], None]) -> None:
    work()


def test_a_queue_without_a_heartbeat_is_unserved() -> None:
    """A queue that a worker names in its heartbeats is served, though its job waits for long."""
    presence = Presence(lambda _queues: {Queue.MEDIA}, start=at_once)
    assert frozenset({Queue.SUBMIT}) == presence.unserved(BOTH)


def test_nobody_waits_for_the_answer() -> None:
    """Until heartbeats have been listened to, no queue is said to be unserved."""
    waiting: list[Callable[[], None]] = []
    presence = Presence(lambda _queues: (), start=waiting.append)
    before = [presence.unserved(BOTH) for _ in range(2)]
    waiting.pop()()
    assert ([frozenset(), frozenset()], [], BOTH) == (before, waiting, presence.unserved(BOTH))


def test_it_listens_again_after_a_pause() -> None:
    """A worker that is started later is noticed, without a stream of questions."""
    answers = [{*BOTH}, {Queue.MEDIA}]
    clock = ManualClock()
    presence = Presence(lambda _queues: answers.pop(), start=at_once, clock=clock)
    first, again = presence.unserved(BOTH), presence.unserved(BOTH)
    clock.forward(PAUSE)
    later = presence.unserved(BOTH)
    assert [{Queue.SUBMIT}, {Queue.SUBMIT}, set()] == [first, again, later]


def test_a_broker_that_does_not_answer_says_nothing_of_workers() -> None:
    """What cannot be known is not claimed."""

    def away(_queues: object) -> frozenset[str]:
        raise OperationalError("away")

    assert frozenset() == Presence(away, start=at_once).unserved(BOTH)
