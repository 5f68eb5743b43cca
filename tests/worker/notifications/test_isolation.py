"""A receiver that does not answer costs nobody else anything."""

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from tests.factories.notifications import told
from tests.factories.receivers_of_webhooks import OK, Received, Reply, receiver
from worker.notifications.endpoint import PARALLEL
from worker.notifications.fair_queue import FairQueue
from worker.notifications.slots import QUICK, Slots


def test_a_black_hole_costs_its_own_lane_only(redis_url: str) -> None:
    """While a silent receiver holds ten of its hundred attempts, another one is told everything."""
    told_all = threading.Event()

    def is_silent(_request: Received) -> Reply:
        told_all.wait(60)
        return OK

    with (
        told(redis_url, time.time) as deployment,
        receiver(is_silent) as hole,
        receiver() as healthy,
    ):
        deployment.add(hole.url)
        for number in range(100):
            deployment.fail(f"before{number}")
        deployment.notifier.fan_out.run(range(64))
        deployment.add(healthy.url)
        for number in range(40):
            deployment.fail(f"job{number}")
        working = threading.Thread(target=deployment.notifier.run)
        working.start()
        healthy.wait_for(40)
        assert len(hole.received) <= PARALLEL + 2  # a slow machine gives up the first of them
        told_all.set()
        working.join()
    assert 40 == len({each.content["data"]["id"] for each in healthy.received})


def test_many_black_holes_leave_slots_to_others(redis_url: str) -> None:
    """Silent receivers with more due attempts than there are slots get one each, to begin with."""
    told_all = threading.Event()

    def is_silent(_request: Received) -> Reply:
        told_all.wait(60)
        return OK

    with ExitStack() as opened:
        deployment = opened.enter_context(told(redis_url, time.time))
        holes = [opened.enter_context(receiver(is_silent)) for _ in range(6)]
        healthy = opened.enter_context(receiver())
        notifier = replace(deployment.notifier, slots=8)
        for each in holes:
            deployment.add(each.url)
        for number in range(20):
            deployment.fail(f"before{number}")
        notifier.fan_out.run(range(64))
        deployment.add(healthy.url)
        for number in range(20):
            deployment.fail(f"job{number}")
        working = threading.Thread(target=notifier.run)
        working.start()
        healthy.wait_for(20)
        # A slow machine gives up the first of them.
        assert all(len(each.received) <= 3 for each in holes)
        told_all.set()
        working.join()
        notifier.close()


def test_half_of_the_slots_are_for_quick_lanes() -> None:
    """Lanes whose attempts take long, or have turned out to, share the other half."""
    costs = {"quick": 50.0, "slow": 5_000.0, "stuck": 50.0}
    slots = Slots(20, costs.get)
    for number in range(4):
        slots.take("stuck", number, 0.0)
        slots.take("slow", number, 0.0)
    assert 6 == slots.for_slow(QUICK / 2)
    assert [False, True, False] == [slots.is_slow(each, QUICK / 2) for each in (*costs,)]
    assert [False, True, True] == [slots.is_slow(each, QUICK + 0.1) for each in (*costs,)]
    assert 2 == slots.for_slow(QUICK + 0.1)
    assert [10, 6, 6, 1] == [slots.room(each) for each in (*costs, "unknown")]
    assert 0.0 == slots.give_back("stuck", 0)
    assert (3, 7) == (slots.held("stuck"), slots.under_way)


def served(queue: FairQueue, lanes: Sequence[str], rounds: int) -> list[str]:
    """Return which lanes were served, if all of them always have something to do."""
    order = []
    for _ in range(rounds):
        [lane] = queue.shares(dict.fromkeys(lanes, 1), 1)
        queue.served(lane, 1)
        order.append(lane)
    return order


def test_lanes_share_time_and_not_attempts() -> None:
    """A lane whose attempts take ten times as long gets a tenth of them."""
    queue = FairQueue()
    for lane, cost in (("quick", 50.0), ("slow", 500.0)):
        queue.took(lane, cost)
    order = served(queue, ["quick", "slow"], 110)
    assert (100, 10) == (order.count("quick"), order.count("slow"))


def test_a_lane_that_rested_saves_nothing_up() -> None:
    """A lane that comes back shares from then on; it does not shut the others out."""
    queue = FairQueue()
    served(queue, ["a", "b"], 100)
    order = served(queue, ["a", "b", "c"], 30)
    assert 9 <= order.count("c") <= 12
