"""Webhooks from outside: the worker of the Procfile tells receivers, which verify what comes."""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.factories.node_reference import NODE, verified_in_node
from tests.factories.receivers_of_webhooks import Received, receiver
from tests.system.test_system import FILES, TEXT, stack


def test_receivers_are_told(tmp_path: Path) -> None:
    """A worker tells a standing endpoint and a job's own address; both verify what came."""
    with (
        stack(tmp_path / "local", "--render-seconds", "0.5") as system,
        receiver() as standing,
        receiver() as own,
    ):
        [made] = system.falhook("endpoints", "add", standing.url, "--event", "job.*")
        [keys] = system.falhook("endpoints", "add", "--for-jobs")
        document = json.dumps({"prompt": "A fox"})
        [job] = system.falhook("submit", TEXT, "--arguments", document, "--notify", own.url)
        [ended] = system.ended(str(job["id"]))
        assert "PUBLISHED" == ended["state"]
        [told] = own.wait_for(1)
        content = told.verified(str(keys["secret"]))
        assert ("job.published", job["id"]) == (content["type"], content["data"]["id"])
        assert FILES == sorted(each["name"] for each in content["data"]["files"])

        def numbers(received: Sequence[Received]) -> set[int]:
            told_of = [each.verified(str(made["secret"]))["data"] for each in received]
            return {data["n"] for data in told_of if data["id"] == job["id"]}

        every = set(range(1, content["data"]["n"] + 1))
        assert len(every) >= 6
        standing.wait_until(lambda received: numbers(received) == every)
        if NODE:
            assert content == verified_in_node(str(keys["secret"]), told.headers, told.body)
