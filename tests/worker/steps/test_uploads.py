"""Inputs go up to fal's CDN by fal-client's own upload, once for each content, before the POST."""

import json
import math
import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from infra.local.fal_process import FalProcess, simulation
from tests.factories.input_files import PNG, named, png
from tests.factories.world import ScriptedFal, world_on
from webhook.contract import Task
from worker.errors import Failure, Permanent, Transient
from worker.fal.cdn import Cdn
from worker.jobs.job import JobState
from worker.jobs.leases import LEASE
from worker.steps.uploads import InputUploads, usable
from worker.storage import Storage
from worker.storage.layout import storage_key
from worker.types import Json

WEEK = 604_800
Get = Callable[[str], bytes]


@pytest.fixture(scope="module")
def fal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FalProcess]:
    """One simulated fal for the module."""
    directory = tmp_path_factory.mktemp("fal")
    with simulation(directory, lambda _name, _line: None) as running:
        yield running


@pytest.fixture
def ask(fal: FalProcess) -> Callable[..., bytes]:
    """Asks the simulated fal, which has forgotten earlier tests; POSTs with `post`."""
    context = ssl.create_default_context(cafile=fal.ca_file)

    def ask(path: str, *, post: bool = False) -> bytes:
        url = path if path.startswith("https://") else f"{fal.url}{path}"
        request = urllib.request.Request(url, method="POST" if post else "GET")
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return bytes(answer.read())

    ask("/_sim/reset", post=True)
    return ask


@pytest.fixture
def cdn(fal: FalProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cdn]:
    """The product's door to the CDN, over TLS to the simulated fal."""
    # fal-client asks for tokens by a client of its own, which trusts what the environment names.
    monkeypatch.setenv("SSL_CERT_FILE", fal.environment["SSL_CERT_FILE"])
    transport = httpx.HTTPTransport(verify=ssl.create_default_context(cafile=fal.ca_file))
    host = fal.environment["FAL_REST_HOST"]
    yield Cdn(fal.environment["FAL_KEY"], rest_host=host, transport=transport)
    transport.close()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A directory of storage."""
    return Storage.open(str(tmp_path / "storage"))


@pytest.fixture
def uploads(cdn: Cdn, redis_url: str, storage: Storage) -> Iterator[InputUploads]:
    """Uploads as the submit worker makes them."""
    with Redis.from_url(redis_url) as redis:
        yield InputUploads(cdn=cdn, redis=redis, storage=storage, lifetime=WEEK)


def uploaded(ask: Get) -> list[Mapping[str, Any]]:
    """What the simulated fal was given, by the order of arrival."""
    return list(json.loads(ask("/_sim/uploads")).values())


def kept(storage: Storage, data: bytes) -> str:
    """The reference to data that lies in storage as a staged job left it."""
    storage.put(storage_key(named(data)), data, content_type="image/png")
    return f"upload://{named(data)}"


def test_an_input_goes_up_once_and_its_address_is_sent(
    uploads: InputUploads, storage: Storage, ask: Get
) -> None:
    """Every mention of one content becomes one address, which serves it; the rest stays."""
    ref = kept(storage, PNG)
    given: dict[str, Json] = {
        "prompt": "a cat",
        "image_url": ref,
        "elements": [{"frontal_image_url": ref}],
        "n": 1,
    }
    sent = uploads.addressed(given)
    address = str(sent["image_url"])
    expected = {
        "prompt": "a cat",
        "image_url": address,
        "elements": [{"frontal_image_url": address}],
        "n": 1,
    }
    assert expected == sent
    assert PNG == ask(address)
    assert sent == uploads.addressed(given)
    (only,) = uploaded(ask)
    expected_upload = ("image/png", "cdn", {"expiration_duration_seconds": WEEK})
    assert expected_upload == (only["content_type"], only["way"], json.loads(only["lifecycle"]))


def test_an_archive_goes_up_as_what_it_is(
    uploads: InputUploads, storage: Storage, ask: Get
) -> None:
    """The type by which fal knows a file is the one that its name was made of."""
    zipped = b"PK\x03\x04" + b"\x00" * 64
    name = named(zipped, "zip")
    storage.put(storage_key(name), zipped, content_type="application/zip")
    address = str(uploads.addressed({"images_data_url": f"upload://{name}"})["images_data_url"])
    assert (".zip", zipped) == (address[-4:], ask(address))
    assert ["application/zip"] == [one["content_type"] for one in uploaded(ask)]


def test_workers_at_once_make_one_upload(uploads: InputUploads, storage: Storage, ask: Get) -> None:
    """Of many workers with the same input one uploads it and the others take its address."""
    ref, found = kept(storage, PNG), []

    def work() -> None:
        found.append(uploads.addressed({"image_url": ref})["image_url"])

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert 6 == len(found)
    assert 1 == len(set(map(str, found)))
    assert 1 == len(uploaded(ask))


def test_an_address_is_given_out_only_while_it_has_life_left(
    uploads: InputUploads, storage: Storage, redis_url: str
) -> None:
    """The record ends a day before the file does, or half-way for short-lived ones."""
    ref = kept(storage, PNG)
    uploads.addressed({"image_url": ref})
    with Redis.from_url(redis_url) as redis:
        left = redis.ttl(f"falhook:upload:{named(PNG)}")
    assert WEEK - 86_400 - 60 < left <= WEEK - 86_400
    assert 1800 == usable(3600)


def test_the_bucket_takes_what_the_cdn_does_not(
    uploads: InputUploads, storage: Storage, ask: Callable[..., bytes]
) -> None:
    """fal-client's fallback works, with the same lifetime."""
    ask("/_sim/uploads?way=cdn&status=503", post=True)
    address = str(uploads.addressed({"image_url": kept(storage, PNG)})["image_url"])
    assert PNG == ask(address)
    (only,) = uploaded(ask)
    assert "bucket" == only["way"]
    assert {"expiration_duration_seconds": WEEK} == json.loads(only["lifecycle"])


@pytest.mark.parametrize(
    ("ways", "told"),
    [
        (["token"], (503, Transient, "upload_unavailable")),
        (["token"], (401, Permanent, "upload_refused")),
        (["cdn", "bucket"], (503, Transient, "upload_unavailable")),
        (["cdn", "bucket"], (429, Transient, "upload_unavailable")),
        (["cdn", "bucket"], (413, Permanent, "upload_refused")),
    ],
)
def test_a_failed_upload_says_whether_to_try_again(
    uploads: InputUploads,
    storage: Storage,
    ask: Callable[..., bytes],
    ways: list[str],
    told: tuple[int, type[Failure], str],
) -> None:
    """fal's answer decides; nothing is remembered, and the next try succeeds."""
    (status, kind, reason), ref = told, kept(storage, PNG)
    for way in ways:
        ask(f"/_sim/uploads?way={way}&status={status}", post=True)
    with pytest.raises(kind) as caught:
        uploads.addressed({"image_url": ref})
    assert reason == caught.value.reason
    for way in ways:
        ask(f"/_sim/uploads?way={way}&status=200", post=True)
    assert str(uploads.addressed({"image_url": ref})["image_url"]).startswith("https://")


def test_a_wrong_key_is_refused_for_good(fal: FalProcess, cdn: Cdn) -> None:
    """fal's own 401 ends the job: no other try can succeed with this key."""
    stranger = Cdn("someone:else", rest_host=fal.environment["FAL_REST_HOST"])
    with pytest.raises(Permanent) as caught:
        stranger.upload(PNG, content_type="image/png", name="a.png", lifetime=WEEK)
    assert "upload_refused" == caught.value.reason
    assert "someone" not in caught.value.sentence


class _Heard(httpx.BaseTransport):
    """Passes requests on, and keeps what was said about each."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._inner.handle_request(request)


class _Silent(httpx.BaseTransport):
    """Takes requests and answers none."""

    def __init__(self) -> None:
        self.hosts: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.hosts.append(request.url.host)
        raise httpx.ReadTimeout("silence", request=request)


def test_a_silent_cdn_is_asked_once(fal: FalProcess, cdn: Cdn) -> None:
    """fal-client's ten repeats are cut off: one request to the CDN, one to the bucket."""
    silent = _Silent()
    host = fal.environment["FAL_REST_HOST"]
    deaf = Cdn(fal.environment["FAL_KEY"], rest_host=host, transport=silent)
    with pytest.raises(Transient) as caught:
        deaf.upload(PNG, content_type="image/png", name="a.png", lifetime=WEEK)
    assert "upload_unavailable" == caught.value.reason
    assert 2 == len(silent.hosts)


def test_large_files_go_in_parts(
    fal: FalProcess, cdn: Cdn, ask: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above fal-client's threshold the parts come together again at fal, each within a time."""
    heard = _Heard(cdn._client.transport)
    host = fal.environment["FAL_REST_HOST"]
    cdn = Cdn(fal.environment["FAL_KEY"], rest_host=host, transport=heard)
    monkeypatch.setattr("fal_client.client.MULTIPART_THRESHOLD", 1000)
    monkeypatch.setattr("fal_client.client.MULTIPART_CHUNK_SIZE", 400)
    data = png(padding=1500)
    address = cdn.upload(data, content_type="image/png", name="a.png", lifetime=WEEK)
    assert data == ask(address)
    (only,) = uploaded(ask)
    assert "multipart" == only["way"]
    assert {host} == {request.headers["host"] for request in heard.requests}
    waits = [request.extensions["timeout"].get("read") for request in heard.requests]
    assert [60.0] * (2 + math.ceil(len(data) / 400)) == waits


def test_a_file_that_storage_does_not_hold_fails_for_good(uploads: InputUploads) -> None:
    """The sentence names the setting that two machines have to share."""
    with pytest.raises(Permanent) as caught:
        uploads.addressed({"image_url": f"upload://{named(PNG)}"})
    assert "upload_missing" == caught.value.reason
    assert "FALHOOK_STORAGE_URL" in caught.value.sentence


def test_an_unforeseen_fault_is_tried_again(uploads: InputUploads, storage: Storage) -> None:
    """Nothing that happens before the POST leaves a job in doubt."""
    ref = kept(storage, PNG)
    uploads.redis.set(f"falhook:upload:{named(PNG)}", b"\xff")
    with pytest.raises(Transient) as caught:
        uploads.addressed({"image_url": ref})
    assert "upload_failed" == caught.value.reason


class _Killed(BaseException):
    """A worker's end in the middle of its work: nothing of it runs any more."""


def test_a_worker_that_dies_while_uploading_costs_nothing(redis_url: str) -> None:
    """The job is known not to have been posted: it goes back, and is posted once by another."""
    uploading = [_Killed()]

    def addressed(arguments: Mapping[str, Json]) -> dict[str, Json]:
        if uploading:
            raise uploading.pop()
        return {**arguments, "image_url": "https://v3.fal.media/files/cat.png"}

    fal = ScriptedFal()
    with world_on(redis_url, fal.fal) as world:
        world.submit = replace(world.submit, addressed=addressed)
        world.add(arguments={"prompt": "a cat", "image_url": f"upload://{named(PNG)}"})
        with pytest.raises(_Killed):
            world.another_worker().run(Task.SUBMIT, "job1")
        assert (JobState.SUBMITTING, 0) == (world.state(), fal.count("POST"))
        world.clock.forward(LEASE + 1)
        world.sweep.run()
        assert JobState.QUEUED is world.state()
        world.another_worker().run(Task.SUBMIT, "job1")
        assert JobState.SUBMITTED is world.state()
    (post,) = fal.requests
    assert "https://v3.fal.media/files/cat.png" == json.loads(post.content)["image_url"]
