"""Published files over HTTP: from a directory, and from a remote store."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api.job_finder import JobFinder
from api.published_names import PublishedNames
from api.routes.files import SIGNED_FOR, Files, operations
from tests.factories.plain_s3 import plain_s3
from tests.factories.served_routes import ServedRoutes, served
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.storage import Storage
from worker.storage.backends import RETRY
from worker.storage.layout import published_key
from worker.types import Json

JOB = "jobone"
CONTENT = bytes(range(256)) * 4
NAMES = ("video.mp4", "notes.txt", "manifest.json", "hls/main.m3u8", "hls/segment 1.m4s")
# The states of a job before its publication.
WAY = tuple(map(JobState, ("SUBMITTING", "SUBMITTED", "RENDERED", "DOWNLOADED", "TAGGED")))
FILES = f"/v1/jobs/{JOB}/files"


def publish(
    records: JobStore, storage: Storage, job_id: str = JOB, tenant: str = "default"
) -> None:
    """Store a job as the publish step leaves it, with its files."""
    files: dict[str, Json] = {name: {} for name in NAMES if name != "manifest.json"}
    job = Job(id=job_id, endpoint="fal-ai/x", arguments={}, tenant=tenant)
    records.add(job, due=0, event={"name": "created"})
    for to in WAY:
        records.change(job_id, JobState, Change(to=to, event={"name": "moved"}))
    outputs: Json = {"files": [name for name in files if "/" not in name]}
    change = Change(to=JobState.PUBLISHED, set={"outputs": outputs}, event={"name": "published"})
    assert records.change(job_id, JobState, change)
    for name in files:
        storage.put(published_key(job_id, name), CONTENT, content_type="video/mp4")
    manifest = json.dumps({"files": files}).encode()
    storage.put(published_key(job_id, "manifest.json"), manifest, content_type="application/json")


@contextmanager
def serving(records: JobStore, redis_url: str, storage: Storage) -> Iterator[ServedRoutes]:
    """Serve the files of this storage."""
    finder = JobFinder(store=records, archived=lambda _: None)
    published = PublishedNames(storage=lambda: storage)
    files = Files(finder=finder, published=published, storage=lambda: storage)
    with served(operations(files), redis_url) as server:
        yield server


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A storage in a directory."""
    return Storage.open(str(tmp_path / "store"))


@pytest.fixture
def server(records: JobStore, redis_url: str, storage: Storage) -> Iterator[ServedRoutes]:
    """A server of the directory, with a published job."""
    publish(records, storage)
    with serving(records, redis_url, storage) as server:
        yield server


@pytest.fixture
def client(server: ServedRoutes) -> httpx.Client:
    """A client of the job's tenant."""
    return server.client()


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("video.mp4", "video/mp4"),
        ("notes.txt", "text/plain; charset=utf-8"),
        ("manifest.json", "application/json"),
        ("hls/main.m3u8", "application/vnd.apple.mpegurl"),
        ("hls/segment 1.m4s", "video/mp4"),
        ("hls%2Fmain.m3u8", "application/vnd.apple.mpegurl"),
    ],
)
def test_each_file_has_its_type_and_can_do_nothing(
    client: httpx.Client, name: str, media_type: str
) -> None:
    """A browser neither guesses the type nor runs or loads anything for the file."""
    answer = client.get(f"{FILES}/{name}")
    assert (200, media_type) == (answer.status_code, answer.headers["content-type"])
    assert "nosniff" == answer.headers["x-content-type-options"]
    assert "sandbox; default-src 'none'" == answer.headers["content-security-policy"]
    assert "private, no-cache" == answer.headers["cache-control"]
    assert name == "manifest.json" or answer.content == CONTENT


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-0", CONTENT[:1]),
        ("bytes=1000-", CONTENT[1000:]),
        ("bytes=-24", CONTENT[-24:]),
        ("bytes=-99999", CONTENT),
        ("bytes=1000-99999", CONTENT[1000:]),
    ],
)
def test_a_part_of_a_file(client: httpx.Client, asked: str, expected: bytes) -> None:
    """A range is answered with these bytes alone, and says which they are."""
    answer = client.get(f"{FILES}/video.mp4", headers={"Range": asked})
    assert (206, expected) == (answer.status_code, answer.content)
    place, _, size = answer.headers["content-range"].removeprefix("bytes ").partition("/")
    first, _, last = place.partition("-")
    assert (str(len(CONTENT)), len(expected)) == (size, int(last) - int(first) + 1)


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "bytes=-", "bytes=a-b", "bytes=0-1,5-9", "lines=1-2", "bytes", "", "²"]
)
def test_a_range_that_is_none_is_ignored(server: ServedRoutes, asked: str) -> None:
    """The whole file follows, as for several ranges at once."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    headers: dict[str, str | bytes] = {**server.headers(), "Range": asked.encode("latin-1")}
    connection.request("GET", f"{FILES}/video.mp4", headers=headers)
    answer = connection.getresponse()
    assert (200, CONTENT) == (answer.status, answer.read())
    connection.close()


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=99999-100000", "bytes=-0"])
def test_a_range_beyond_the_end_is_a_problem(client: httpx.Client, asked: str) -> None:
    """The answer says how long the file is."""
    answer = client.get(f"{FILES}/video.mp4", headers={"Range": asked})
    assert (416, "bad_range") == (answer.status_code, answer.json()["code"])
    assert f"bytes */{len(CONTENT)}" == answer.headers["content-range"]
    assert "application/problem+json" == answer.headers["content-type"]


def test_a_range_of_another_version_is_not_mixed(client: httpx.Client) -> None:
    """With If-Range a part of the known version is sent, and the whole of any other."""
    tag = client.get(f"{FILES}/video.mp4").headers["etag"]
    for known, status in ((tag, 206), ('"other"', 200)):
        headers = {"Range": "bytes=0-1", "If-Range": known}
        assert status == client.get(f"{FILES}/video.mp4", headers=headers).status_code
    headers = {"Range": "bytes=9999-", "If-Range": '"other"'}
    assert 200 == client.get(f"{FILES}/video.mp4", headers=headers).status_code


def test_a_known_file_is_not_sent_again(client: httpx.Client) -> None:
    """If-None-Match with its ETag is answered with 304 and no body."""
    tag = client.get(f"{FILES}/video.mp4").headers["etag"]
    answer = client.get(f"{FILES}/video.mp4", headers={"If-None-Match": f'"a", W/{tag}'})
    assert (304, b"", tag) == (answer.status_code, answer.content, answer.headers["etag"])


def test_head_has_the_headers_alone(client: httpx.Client) -> None:
    """Size and type are known without the bytes."""
    answer = client.head(f"{FILES}/video.mp4")
    assert (200, "1024", b"") == (
        answer.status_code,
        answer.headers["content-length"],
        answer.content,
    )


def test_a_download_is_saved_under_its_name(client: httpx.Client) -> None:
    """A browser saves the file instead of showing it."""
    answer = client.get(f"{FILES}/hls/segment 1.m4s", params={"download": "1"})
    assert "attachment; filename*=utf-8''segment%201.m4s" == answer.headers["content-disposition"]
    assert "content-disposition" not in client.get(f"{FILES}/video.mp4").headers


@pytest.mark.parametrize(
    "path",
    [
        *("../../../work/secret", "..%2f..%2f..%2fwork%2fsecret", "%2e%2e/%2e%2e/work/secret"),
        *("hls/../../../work/secret", "%2fetc%2fpasswd", "/etc/passwd", "video.mp4%00", "%00"),
        *(
            "..%5c..%5cwork",
            "hls%5cmain.m3u8",
            "video.mp4%231",
            ".",
            "..",
            "hls",
            "hls/",
            "",
            "%ff",
        ),
        *(
            "%ff",
            "VIDEO.MP4",
            "video.mp4/",
            "./video.mp4",
            "hls/none.m4s",
            "a" * 5000,
            "history.jsonl",
        ),
    ],
)
def test_nothing_but_what_the_job_published(
    server: ServedRoutes, storage: Storage, path: str
) -> None:
    """Whatever a path looks like, other files of the storage and the machine stay unread."""
    storage.put("work/secret", b"secret", content_type="text/plain")
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", f"{FILES}/{path}", headers=dict(server.headers()))
    answer = connection.getresponse()
    assert (404, "not_found") == (answer.status, json.loads(answer.read())["code"])
    connection.close()


def test_an_archived_history_is_a_file(client: httpx.Client, storage: Storage) -> None:
    """Where a job was archived, its record and history can be fetched."""
    storage.put(published_key(JOB, "history.jsonl"), b"{}\n", content_type="application/jsonl")
    answer = client.get(f"{FILES}/history.jsonl")
    assert (b"{}\n", "application/jsonl") == (answer.content, answer.headers["content-type"])


def test_a_lost_file_is_told_from_one_that_never_was(
    client: httpx.Client, storage: Storage
) -> None:
    """What was published and is gone has a code of its own; so has its manifest."""
    for name in ("video.mp4", "manifest.json"):
        storage.delete(published_key(JOB, name))
        answer = client.get(f"{FILES}/{name}")
        assert (404, "file_missing") == (answer.status_code, answer.json()["code"])


def test_a_directory_that_is_not_mounted_is_unavailable(
    client: httpx.Client, tmp_path: Path
) -> None:
    """No file is said to be lost while its storage is away."""
    (tmp_path / "store").rename(tmp_path / "away")
    for name in ("video.mp4", "hls/main.m3u8"):
        answer = client.get(f"{FILES}/{name}")
        assert (503, "storage_unwritable") == (answer.status_code, answer.json()["code"])
        assert "retry-after" in answer.headers


def test_another_tenants_files_are_not_there(
    server: ServedRoutes, records: JobStore, storage: Storage
) -> None:
    """Each tenant has the files of its own jobs, and the others look like none."""
    publish(records, storage, "jobtwo", tenant="acme")
    expected = server.client().get("/v1/jobs/jobnone/files/video.mp4").json()
    answer = server.client().get("/v1/jobs/jobtwo/files/video.mp4")
    assert 404 == answer.status_code
    assert {**expected, "request_id": ""} == {**answer.json(), "request_id": ""}
    assert CONTENT == server.client("acme").get("/v1/jobs/jobtwo/files/video.mp4").content


def test_a_job_without_a_publication_has_no_files(
    client: httpx.Client, records: JobStore, storage: Storage
) -> None:
    """What lies in storage before the manifest counts as published is not shown."""
    job = Job(id="early", endpoint="fal-ai/x", arguments={}, outputs={"files": ["video.mp4"]})
    records.add(job, due=0, event={"name": "created"})
    storage.put(published_key("early", "video.mp4"), CONTENT, content_type="video/mp4")
    assert 404 == client.get("/v1/jobs/early/files/video.mp4").status_code


@pytest.fixture
def remote(
    records: JobStore, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    """A client of files in an S3 store."""
    monkeypatch.setitem(RETRY, "max_retries", 0)
    with plain_s3(monkeypatch) as objects:
        storage = Storage.open("s3://bucket/p")
        publish(records, storage)
        objects.pop(f"/bucket/p/published/{JOB}/notes.txt")
        with serving(records, redis_url, storage) as server:
            yield server.client()


@pytest.mark.parametrize("name", ["video.mp4", "hls/segment 1.m4s", "manifest.json"])
def test_a_remote_store_sends_its_files_itself(remote: httpx.Client, name: str) -> None:
    """The answer is an address that works for fifteen minutes without the key, and is not kept."""
    answer = remote.get(f"{FILES}/{name}")
    assert (302, "no-store") == (answer.status_code, answer.headers["cache-control"])
    signed = parse_qs(urlsplit(answer.headers["location"]).query)
    assert [f"{SIGNED_FOR:g}"] == signed["X-Amz-Expires"] == ["900"]
    content = httpx.get(answer.headers["location"]).content
    assert content == CONTENT or name == "manifest.json"


def test_playlists_and_downloads_come_from_here(remote: httpx.Client) -> None:
    """A playlist's addresses are relative to ours, and S3 knows no name to save a file under."""
    playlist = remote.get(f"{FILES}/hls/main.m3u8")
    assert (200, CONTENT) == (playlist.status_code, playlist.content)
    download = remote.get(f"{FILES}/video.mp4", params={"download": "1"})
    assert (200, CONTENT) == (download.status_code, download.content)
    assert "attachment; filename*=utf-8''video.mp4" == download.headers["content-disposition"]
    head = remote.head(f"{FILES}/video.mp4")
    assert (200, "1024") == (head.status_code, head.headers["content-length"])


def test_a_lost_object_is_not_redirected_to(remote: httpx.Client) -> None:
    """It is our problem document and not an error of the store."""
    answer = remote.get(f"{FILES}/notes.txt")
    assert (404, "file_missing") == (answer.status_code, answer.json()["code"])
