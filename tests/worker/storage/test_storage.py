"""Objects under keys: the same behaviour from a directory, from memory and from S3."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from worker.errors import Permanent, Transient
from worker.storage import Storage, require_usable
from worker.storage.backends import RETRY
from worker.storage.health import probe
from worker.storage.local_directory import ABANDONED_AFTER, MARKER

MP4 = "video/mp4"
PART = 5 * 1024 * 1024


@pytest.fixture(params=["directory", "memory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Each kind of store; S3 only if FALHOOK_TEST_S3_URL names a bucket to write to."""
    if request.param == "directory":
        return Storage.open(f"file://{tmp_path}/store")
    if request.param == "memory":
        return Storage.open("memory://")
    url = os.environ.get("FALHOOK_TEST_S3_URL")
    if not url:
        pytest.skip("FALHOOK_TEST_S3_URL is not set")
    return Storage.open(f"{url}/{uuid.uuid4().hex}")


@pytest.fixture
def directory(tmp_path: Path) -> Storage:
    return Storage.open(str(tmp_path / "store"))


def files(storage: Storage) -> list[str]:
    """Return every file in a local store, hidden or not."""
    assert storage.root is not None
    paths = (path for path in storage.root.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(storage.root)) for path in paths if path.name != MARKER)


def names(storage: Storage) -> list[str]:
    """Return the names in the directory itself."""
    assert storage.root is not None
    return sorted(path.name for path in storage.root.iterdir())


def test_check_passes_and_leaves_nothing(storage: Storage) -> None:
    """A usable store passes the check, and no probe is left in it."""
    require_usable(storage)
    assert [] == list(storage.list(".probe"))


@pytest.mark.parametrize("kind", ["bytes", "file", "stream"])
@pytest.mark.parametrize("size", [0, 1, PART, 2 * PART + 1])
def test_put_get(storage: Storage, tmp_path: Path, kind: str, size: int) -> None:
    """An object of any size, put in any form, has the same content and size in get and read."""
    data = os.urandom(size)
    source: bytes | Path | Iterator[bytes] = data
    if kind == "file":
        source = tmp_path / "source"
        source.write_bytes(data)
    elif kind == "stream":
        source = iter([data[: size // 3], b"", data[size // 3 :]])
    assert storage.put("jobs/1/a b.mp4", source, content_type=MP4)
    assert size == storage.get("jobs/1/a b.mp4", tmp_path / "copy")
    assert data == (tmp_path / "copy").read_bytes()
    assert data == storage.read("jobs/1/a b.mp4")
    assert data == b"".join(storage.chunks("jobs/1/a b.mp4"))
    assert size == storage.size("jobs/1/a b.mp4")


def test_absent(storage: Storage, tmp_path: Path) -> None:
    """An absent object reads as None, has no size, and cannot be downloaded or copied."""
    assert storage.read("jobs/none") is None
    assert storage.size("jobs/none") is None
    with pytest.raises(Permanent, match=r"storage_missing: .*jobs/none does not exist"):
        storage.get("jobs/none", tmp_path / "copy")
    with pytest.raises(Permanent, match="storage_missing"):
        storage.copy("jobs/none", "jobs/other")
    with pytest.raises(Permanent, match="storage_missing"):
        next(storage.chunks("jobs/none"))
    assert [] == [path.name for path in tmp_path.iterdir() if path.name.startswith("copy")]


def test_first_writer_wins(storage: Storage) -> None:
    """With create, one of many concurrent writers gets True, and its bytes stay."""
    barrier = threading.Barrier(8)
    wrote: list[bytes] = []

    def write(number: int) -> None:
        barrier.wait(10)
        if storage.put("manifest", b"%d" % number, content_type=MP4, create=True):
            wrote.append(b"%d" % number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrote == [storage.read("manifest")]
    assert not storage.put("manifest", iter([b"late"]), content_type=MP4, create=True)
    assert wrote == [storage.read("manifest")]


@pytest.mark.parametrize("before", [None, b"old"])
def test_failing_source(storage: Storage, before: bytes | None) -> None:
    """A source that raises midway changes nothing, and its exception is raised unchanged."""
    if before is not None:
        storage.put("clip", before, content_type=MP4)
    cause = Transient("download_cut", "cut")

    def source() -> Iterator[bytes]:
        yield b"x" * (2 * PART)
        raise cause

    with pytest.raises(Transient) as caught:
        storage.put("clip", source(), content_type=MP4)
    assert cause is caught.value
    assert before == storage.read("clip")


def test_copy_list_delete(storage: Storage) -> None:
    """Prefixes are whole segments; delete removes the object of that name and all below it."""
    for key in (
        ("jobs/1", "jobs/1/a", "jobs/1/b/c", "jobs/10/a")
        if storage.root is None
        else (
            "jobs/1/a",
            "jobs/1/b/c",
            "jobs/10/a",
        )
    ):
        storage.put(key, key.encode(), content_type=MP4)
    storage.copy("jobs/1/a", "jobs/2/a")
    storage.put("jobs/1/a", b"changed", content_type=MP4)
    assert b"jobs/1/a" == storage.read("jobs/2/a")
    assert ["jobs/1/a", "jobs/1/b/c"] == sorted(storage.list("jobs/1"))
    storage.delete("jobs/1")
    storage.delete("jobs/1")
    assert ["jobs/10/a", "jobs/2/a"] == sorted(storage.list("jobs"))
    assert storage.size("jobs/1") is None
    storage.delete("jobs/2/a")
    assert ["jobs/10/a"] == sorted(storage.list("jobs"))


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/./b", "a#1", "a\nb", "a\\b"])
def test_invalid_key(storage: Storage, key: str) -> None:
    """A key that some store would interpret differently is refused by all of them."""
    with pytest.raises(ValueError, match="is not a valid key"):
        storage.put(key, b"", content_type=MP4)
    with pytest.raises(ValueError, match="is not a valid key"):
        storage.delete(key)


def test_content_type(storage: Storage) -> None:
    """The object has its content type if the store supports one."""
    storage.put("clip", b"x" * (PART + 1), content_type=MP4)
    attributes = storage.store.get("clip").attributes
    assert ({} if storage.root else {"Content-Type": MP4}) == attributes


KILLED = """
import os, signal, sys
from worker.storage import Storage

def source():
    yield b"x" * 12_000_000
    print("written", flush=True)
    sys.stdin.read()

Storage.open(sys.argv[1]).put("jobs/1/clip", source(), content_type="video/mp4")
"""


def kill_writer(storage: Storage) -> None:
    """Kill a process with SIGKILL in the middle of a put."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, storage.place.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert "written\n" == writer.stdout.readline()
        writer.kill()
        assert -signal.SIGKILL == writer.wait(10)


@pytest.mark.parametrize("before", [None, b"old"])
def test_killed_writer(directory: Storage, before: bytes | None) -> None:
    """SIGKILL in the middle of a put leaves the key unchanged; delete removes the remains."""
    if before is not None:
        directory.put("jobs/1/clip", before, content_type=MP4)
    kill_writer(directory)
    assert "jobs/1/clip#1" in files(directory)
    assert before == directory.read("jobs/1/clip")
    assert ([] if before is None else ["jobs/1/clip"]) == list(directory.list("jobs/1"))
    directory.delete("jobs/1")
    assert [MARKER] == names(directory)


def test_put_removes_the_remains_of_a_killed_writer(directory: Storage) -> None:
    """The next put succeeds; the remains are removed once they have not been written for long."""
    kill_writer(directory)
    assert directory.root is not None
    remains = directory.root / "jobs/1/clip#1"
    directory.put("jobs/1/clip", b"new", content_type=MP4)
    assert remains.exists()
    os.utime(remains, (0, remains.stat().st_mtime - ABANDONED_AFTER - 1))
    directory.put("jobs/1/clip", b"newer", content_type=MP4)
    assert ["jobs/1/clip"] == files(directory)
    assert b"newer" == directory.read("jobs/1/clip")


def test_put_survives_a_power_failure(directory: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file and its directory are synced before put and copy return."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    directory.put("jobs/1/a", b"x", content_type=MP4)
    directory.copy("jobs/1/a", "jobs/2/b")
    assert directory.root is not None
    expected = [directory.root / "jobs" / name for name in ("1/a", "1", "2/b", "2")]
    assert [path.stat().st_ino for path in expected] == synced


def test_delete_leaves_no_empty_directory(directory: Storage) -> None:
    """The directories of deleted objects are deleted; the storage's own directory stays."""
    directory.put("jobs/1/b/c", b"", content_type=MP4)
    directory.delete("jobs/1")
    assert [MARKER] == names(directory)


def test_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is the absolute path of a file, or the URL of an object."""
    monkeypatch.chdir(tmp_path)
    assert f"{tmp_path}/out/a/b.mp4" == Storage.open("out").address("a/b.mp4")
    assert f"{tmp_path}/a b/c" == Storage.open(f"file://{tmp_path}/a%20b").address("c")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert "s3://bucket/p/a" == Storage.open("s3://bucket/p/").address("a")
    assert "s3://bucket/p" == Storage.open("s3://bucket/p/").address("")
    assert "gs://bucket/a" == Storage.open("gs://bucket").address("a")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert "az://container/p/a" == Storage.open("az://container/p").address("a")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3://",
        "ftp://host/x",
        "https://bucket.s3.amazonaws.com/x",
        "file://host/x",
        "file://",
        "/proc/nowhere/x",
        "az://container",
    ],
)
def test_bad_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that is not a storage is refused in one sentence with the setting and the value."""
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(ValueError, match="FALHOOK_STORAGE_URL") as caught:
        Storage.open(url)
    assert repr(url) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["s3://me:hunter2@bucket/p", "s3://bucket/p?sig=hunter2"])
def test_url_with_credentials(url: str) -> None:
    """A URL that contains a secret is refused, and the sentence does not repeat it."""
    with pytest.raises(ValueError, match="FALHOOK_STORAGE_URL") as caught:
        Storage.open(url)
    assert "hunter2" not in str(caught.value)


def test_directory_not_writable(directory: Storage) -> None:
    """A directory that cannot be written to fails with setting, value and correction."""
    assert directory.root is not None
    (directory.root / ".probe").write_bytes(b"a file where a directory has to be")
    with pytest.raises(Permanent, match="storage_unwritable") as caught:
        require_usable(directory)
    assert f"FALHOOK_STORAGE_URL={directory.place.url}" in caught.value.sentence
    with pytest.raises(Permanent, match=r"storage_unwritable: .*Not a directory.*; make it"):
        directory.put(".probe/b", b"", content_type=MP4)


def test_a_missing_directory_is_not_created_again(directory: Storage, tmp_path: Path) -> None:
    """While a volume is not mounted, calls fail as transient and write nothing; then they work."""
    directory.put("a", b"old", content_type=MP4)
    assert directory.root is not None
    away, mount_point = tmp_path / "away", directory.root
    mount_point.rename(away)
    for exists in (False, True):
        if exists:
            mount_point.mkdir()
        for call in (
            lambda: directory.put("a", b"new", content_type=MP4),
            lambda: directory.read("a"),
            lambda: directory.get("a", tmp_path / "copy"),
            lambda: directory.copy("a", "b"),
            lambda: directory.delete("a"),
            lambda: list(directory.list("jobs")),
            lambda: Storage.existing(directory.place.url),
        ):
            with pytest.raises(Transient, match=r"storage_unwritable: .*\.falhook is missing"):
                call()
        with pytest.raises(Permanent, match=r"storage_unwritable: .*\.falhook is missing.*mount"):
            require_usable(directory)
        assert exists == mount_point.exists()
    assert [] == names(directory)
    mount_point.rmdir()
    away.rename(mount_point)
    require_usable(directory)
    assert b"old" == Storage.existing(directory.place.url).read("a")
    assert directory.put("a", b"new", content_type=MP4)


def test_directories_that_a_worker_creates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent of an absolute path must exist; those of a relative path are created."""
    with pytest.raises(ValueError, match="use one whose parent exists"):
        Storage.open(str(tmp_path / "volume" / "storage"))
    assert [] == list(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    for url in ("./var/storage", str(tmp_path / "storage"), str(tmp_path / "storage")):
        assert [MARKER] == names(Storage.open(url))


def test_full_disk(directory: Storage, tmp_path: Path) -> None:
    """A full disk, of the store or of a copy, is transient."""
    directory.put("clip", b"x" * PART, content_type=MP4)
    (tmp_path / "copy.part").symlink_to("/dev/full")
    with pytest.raises(Transient, match="storage_full"):
        directory.get("clip", tmp_path / "copy")
    assert ["store"] == [path.name for path in tmp_path.iterdir()]

    class Full(Iterator[bytes]):
        def __next__(self) -> bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(Transient, match=r"storage_full: .*free some space"):
        directory.put("clip", Full(), content_type=MP4)


FORKED = """
import json, os, sys
from worker.storage import Storage, require_usable

storage = Storage.open(sys.argv[1])
require_usable(storage)
results = {}
for name in ("before", "after"):
    if name == "after":
        storage.read("a")
    reader, writer = os.pipe()
    if not (child := os.fork()):
        try:
            result = str(storage.put("a", b"x", content_type="video/mp4"))
        except RuntimeError as error:
            result = str(error)
        os.write(writer, result.encode())
        os._exit(0)
    os.waitpid(child, 0)
    results[name] = os.read(reader, 1000).decode()
print(json.dumps(results))
"""


def test_fork(directory: Storage) -> None:
    """A child can write if its parent only opened and checked; otherwise it raises, never hangs."""
    program = subprocess.run(
        [sys.executable, "-c", FORKED, directory.place.url],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    results = json.loads(program.stdout)
    assert "True" == results["before"]
    assert "before this process was forked" in results["after"]


class Refusing(BaseHTTPRequestHandler):
    """An S3 endpoint that answers every request with one status and error code."""

    protocol_version = "HTTP/1.1"
    answer = (500, b"InternalError")

    def answer_all(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"<Error><Code>%s</Code></Error>" % self.answer[1]
        self.send_response(self.answer[0])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer_all  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


@pytest.mark.parametrize(
    ("status", "code", "failure", "reason"),
    [
        (403, b"AccessDenied", Permanent, "storage_unwritable"),
        (401, b"InvalidToken", Permanent, "storage_unwritable"),
        (404, b"NoSuchBucket", Permanent, "storage_unwritable"),
        (301, b"PermanentRedirect", Permanent, "storage_unwritable"),
        (400, b"RequestTimeout", Transient, "storage_unavailable"),
        (409, b"OperationAborted", Transient, "storage_unavailable"),
        (503, b"SlowDown", Transient, "storage_unavailable"),
        (507, b"InsufficientStorage", Transient, "storage_full"),
    ],
)
def test_remote_faults(
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: bytes,
    failure: type[Transient] | type[Permanent],
    reason: str,
) -> None:
    """A final refusal of an S3 endpoint is permanent, others transient; keys stay secret."""
    monkeypatch.setitem(RETRY, "max_retries", 0)
    handler = type("Handler", (Refusing,), {"answer": (status, code)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "hunter2")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        storage = Storage.open("s3://bucket/p")
        try:
            with pytest.raises(failure) as caught:
                storage.put("clip", b"x", content_type=MP4)
            with pytest.raises(failure):
                storage.put("clip", b"x", content_type=MP4, create=True)
            with pytest.raises(Permanent, match="storage_unwritable: FALHOOK_STORAGE_URL=s3://"):
                probe(storage)
        finally:
            server.shutdown()
    assert reason == caught.value.reason
    assert "hunter2" not in caught.value.sentence


def test_http_endpoint_names_the_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence for a forbidden http endpoint names the variable that allows it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("AWS_ALLOW_HTTP", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with pytest.raises(Permanent, match=r"storage_unwritable: .*AWS_ALLOW_HTTP=true"):
        require_usable(Storage.open("s3://bucket"))
