"""Creations: what was carried out is answered again, whatever has changed since."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from redis import Redis

from api.creation import Creation
from api.models.creation import JobCreation, Trial
from api.operation import Count
from api.problems import ProblemError
from tests.factories.apis import request
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.errors import UnknownEndpoint
from worker.jobs.store import JobStore, connect
from worker.operations.create import Created, JobCreator
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.storage import Storage


def no_storage() -> Storage:
    """No request here has a file."""
    raise AssertionError


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """An empty Redis."""
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def creation(redis: Redis) -> Creation:
    """Creations on that Redis."""
    staging = Staging(storage=no_storage, directory=None)
    return Creation(
        creator=JobCreator(
            store=JobStore(redis),
            validator=Validator(catalogue=Catalogue.load(), staging=staging),
            wake=lambda _task, _job_id: None,
        )
    )


def without_endpoints(creation: Creation) -> Creation:
    """The same creations after fal has withdrawn every endpoint."""
    validator = replace(creation.creator.validator, catalogue=Catalogue([]))
    return Creation(creator=replace(creation.creator, validator=validator))


def create(creation: Creation, key: str | None, **changes: object) -> Created | Trial:
    """Send a request for a job."""
    given = JobCreation.model_validate(request(**changes))
    return creation.create(given, tenant="default", key=key)


def test_a_repeated_request_is_not_validated_again(creation: Creation) -> None:
    """Its job is the answer also when the endpoint is no longer served; for others it is not."""
    first = create(creation, "order-1")
    later = without_endpoints(creation)
    again = create(later, "order-1")
    assert isinstance(first, Created)
    assert isinstance(again, Created)
    assert (first.job.id, False) == (again.job.id, again.new)
    for key, changes in [("order-1", {"max_price": "9"}), ("order-2", {})]:
        with pytest.raises(UnknownEndpoint):
            create(later, key, **changes)


def test_a_request_that_is_written_differently_is_compared(creation: Creation) -> None:
    """Equal values are the same job; other ones are refused with the names of their fields."""
    create(creation, "order-1")
    again = create(creation, "order-1", metadata={}, max_price="9")
    assert isinstance(again, Created)
    assert not again.new
    with pytest.raises(ProblemError, match=r"differs in arguments\.prompt"):
        create(creation, "order-1", arguments={"prompt": "A cat", "duration": "5"})


def test_a_trial_with_the_key_of_a_job_stays_one(creation: Creation) -> None:
    """It says what the job would be, and does not answer with the job."""
    create(creation, "order-1")
    assert isinstance(create(creation, "order-1", dry_run=True), Trial)


def test_a_request_is_counted_before_anything_is_stored(creation: Creation, redis: Redis) -> None:
    """Redis counts it in the trip of the look-up; one too many leaves no job and no trace."""

    def refuse(answer: object) -> None:
        assert 1 == answer
        raise ProblemError("rate_limited", "one too many")

    given = JobCreation.model_validate(request())
    count = Count(("INCR", "counted"), refuse)
    with pytest.raises(ProblemError, match="one too many"):
        creation.create(given, tenant="default", key="order-1", count=count)
    assert ["counted"] == redis.keys()
