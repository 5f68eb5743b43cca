"""A notifier on a real cluster, whose nodes share the shards of jobs and the lanes of endpoints."""

from pathlib import Path

from tests.factories.notifications import told
from tests.factories.receivers_of_webhooks import receiver
from tests.factories.redis_servers import cluster
from tests.factories.redis_urls import cluster_url
from tests.factories.world import ManualClock

# As many jobs and endpoints as reach every node.
JOBS, ENDPOINTS = 12, 6


def test_receivers_are_told_on_a_cluster(tmp_path: Path, clock: ManualClock) -> None:
    """Each endpoint hears of each job once, whichever nodes have the two."""
    with (
        cluster(tmp_path) as nodes,
        receiver() as target,
        told(cluster_url(nodes), clock) as deployment,
    ):
        for number in range(ENDPOINTS):
            deployment.add(f"{target.url}{number}")
        for number in range(JOBS):
            deployment.fail(f"job{number}")
        deployment.notifier.run()
        expected = {
            (f"/hooks{way}", f"job{job}") for way in range(ENDPOINTS) for job in range(JOBS)
        }
        assert expected == {(each.path, each.content["data"]["id"]) for each in target.received}
        assert JOBS * ENDPOINTS == len(target.received)
        assert JOBS * ENDPOINTS == len(deployment.histories.list("default", limit=100))
