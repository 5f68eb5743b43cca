"""Creations on a Redis whose replica does not answer: no caller learns of a job that may vanish."""

from pathlib import Path

import pytest

from tests.factories.redis_servers import primary, replica
from tests.factories.world import ENDPOINT
from tests.faults.striking import frozen
from webhook.redis.replicas import Unconfirmed
from worker.catalogue.catalogue import Catalogue
from worker.jobs.store import JobStore, connect
from worker.operations.create import JobCreator
from worker.operations.request import JobRequest
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.storage import Storage


def _no_storage() -> Storage:
    raise AssertionError


def test_a_repeated_creation_is_confirmed_too(tmp_path: Path) -> None:
    """A record that no replica has is there for a repetition, which an election would undo."""
    staging = Staging(storage=_no_storage, directory=None)
    validator = Validator(catalogue=Catalogue.load(), staging=staging)
    draft = validator.validate(
        JobRequest(endpoint=ENDPOINT, arguments={"prompt": "a fox"}, job_id="job1")
    )
    warm = validator.validate(JobRequest(endpoint=ENDPOINT, arguments={"prompt": "a fox"}))
    with (
        primary(tmp_path / "first") as first,
        replica(tmp_path / "second", of=first) as second,
        connect(first.url) as redis,
    ):
        creator = JobCreator(
            store=JobStore(redis), validator=validator, wake=lambda _task, _job: None
        )
        creator.add(warm)
        with frozen(second):
            for _ in range(2):
                # The pool may have connections without a write, whose WAIT would wait for nothing.
                redis.connection_pool.disconnect()
                with pytest.raises(Unconfirmed):
                    creator.add(draft)
        assert not creator.add(draft).new
