"""A store without conditional writes: used all the same, and known before the first job."""

from collections.abc import Iterator

import pytest

from tests.factories.plain_s3 import plain_s3
from worker.errors import Permanent
from worker.storage import Storage
from worker.storage.backends import RETRY
from worker.storage.health import probe

JSON = "application/json"


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """The objects of the store; what is refused is not tried again."""
    monkeypatch.setitem(RETRY, "max_retries", 0)
    with plain_s3(monkeypatch) as objects:
        yield objects


@pytest.fixture
def storage(objects: dict[str, bytes]) -> Storage:
    """The store as a storage."""
    return Storage.open("s3://bucket/p")


def test_the_first_object_stays(storage: Storage, objects: dict[str, bytes]) -> None:
    """A manifest is written once although the store knows no condition."""
    assert storage.put("a/manifest.json", b"1", content_type=JSON, create=True)
    assert not storage.put("a/manifest.json", b"2", content_type=JSON, create=True)
    assert {"/bucket/p/a/manifest.json": b"1"} == objects


def test_the_probe_passes_and_leaves_nothing(storage: Storage, objects: dict[str, bytes]) -> None:
    """Everything that a job does was tried."""
    probe(storage)
    assert {} == objects


def test_a_store_that_cannot_copy_is_refused(
    storage: Storage, objects: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job would be paid and never published."""

    def refused(_storage: Storage, source: str, _target: str) -> None:
        raise storage.place.unwritable(f"{source} cannot be copied")

    monkeypatch.setattr(Storage, "copy", refused)
    with pytest.raises(Permanent, match="cannot be copied"):
        probe(storage)
