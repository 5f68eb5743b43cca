"""worker.picture_tags: pictures that fal made say what they are; nothing else is touched."""

import hashlib
import importlib.util
from pathlib import Path
from typing import cast

import pytest

from tests.media_factories import ffmpeg, tags
from worker.delivery import Delivering
from worker.jobs import Job, Json
from worker.layout import work_key
from worker.picture_tags import PictureTags
from worker.pictures import MAX_PICTURE, has_credentials, size_of
from worker.provenance import Credentials
from worker.provenance.development import CHAIN, KEY, ROOT, make_chain
from worker.provenance.reading import show
from worker.storage import Storage
from worker.tags import AI_ORIGIN

KINDS = {"image-1.jpg": "image/jpeg", "image-2.png": "image/png", "image-3.webp": "image/webp"}
with_sdk = pytest.mark.skipif(
    importlib.util.find_spec("c2pa") is None, reason="c2pa-python is not installed"
)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Storage in a directory of its own."""
    return Storage.open(str(tmp_path / "storage"))


def job() -> Job:
    made = tags()
    return Job(
        id=made.job_id,
        endpoint="fal-ai/flux/dev",
        request_id=made.request_id,
        arguments={},
        created_at=made.created.timestamp(),
    )


def picture(name: str, tmp_path: Path) -> bytes:
    source = ("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", "-frames:v", "1", "-update", "1")
    ffmpeg(*source, "-f", "image2", str(tmp_path / name))
    return (tmp_path / name).read_bytes()


def kept(storage: Storage, name: str, data: bytes, kind: str) -> dict[str, Json]:
    """A file in the job's work area, and what its record holds."""
    storage.put(work_key(job().id, name), data, content_type=kind)
    digest = hashlib.sha256(data).hexdigest()
    return {name: {"content_type": kind, "bytes": len(data), "sha256": digest, "output": "images"}}


def stored(storage: Storage, name: str, tmp_path: Path) -> Path:
    path = tmp_path / f"stored-{name}"
    storage.get(work_key(job().id, name), path)
    return path


def tagged(
    storage: Storage, files: dict[str, Json], credentials: Credentials | None = None
) -> dict[str, Json]:
    delivering = Delivering(credentials=credentials)
    found = PictureTags(storage=storage, delivering=delivering).tagged(job(), files)
    return cast(dict[str, Json], next(iter(found.values())))


@pytest.mark.parametrize("name", KINDS)
def test_pictures_are_tagged(name: str, storage: Storage, tmp_path: Path) -> None:
    """The picture says that a model made it, looks the same, and its record is of the new file."""
    data = picture(name, tmp_path)
    about = tagged(storage, kept(storage, name, data, KINDS[name]))
    path = stored(storage, name, tmp_path)
    assert AI_ORIGIN.encode() in path.read_bytes()
    assert (64, 48) == size_of(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == about["sha256"]
    assert (path.stat().st_size, True, "images") == (
        about["bytes"],
        about["tagged"],
        about["output"],
    )
    hashes = [ffmpeg("-i", str(one), "-f", "hash", "-") for one in (tmp_path / name, path)]
    assert hashes[0] == hashes[1]


def test_again_changes_nothing(storage: Storage, tmp_path: Path) -> None:
    """A step done twice gives the same bytes."""
    files = kept(storage, "image-1.jpg", picture("image-1.jpg", tmp_path), "image/jpeg")
    assert tagged(storage, files) == tagged(storage, files)


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [
        ("audio-1.mp3", "audio/mpeg", b"ID3 sound"),
        ("image-1.gif", "image/gif", b"GIF89a"),
        ("image-1.jpg", "image/jpeg", b"\xff\xd8\xff cut short"),
        ("image-1.png", "image/png", b"no picture at all"),
    ],
)
def test_all_else_stays(
    name: str, kind: str, data: bytes, storage: Storage, tmp_path: Path
) -> None:
    """Sounds, other formats and what only claims to be a picture are published as they came."""
    files = kept(storage, name, data, kind)
    assert files[name] == tagged(storage, files)
    assert data == stored(storage, name, tmp_path).read_bytes()


def test_a_huge_picture_is_not_read(storage: Storage) -> None:
    """What would not fit into the worker's memory is left alone: it is not even fetched."""
    about: Json = {"content_type": "image/png", "bytes": MAX_PICTURE + 1, "sha256": "0"}
    assert about == tagged(storage, {"image-1.png": about})


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    """A development certificate."""
    made = make_chain(tmp_path / "chain")
    anchors = str(made[ROOT])
    return Credentials.load(made[CHAIN], key=made[KEY], command="", tsa="", anchors=anchors)


@with_sdk
@pytest.mark.parametrize("name", KINDS)
def test_pictures_are_signed(
    name: str, storage: Storage, credentials: Credentials, tmp_path: Path
) -> None:
    """With credentials the picture was created; signed once more, its first claim is the parent."""
    files = kept(storage, name, picture(name, tmp_path), KINDS[name])
    about = tagged(storage, files, credentials)
    path = stored(storage, name, tmp_path)
    shown = show(path, credentials.anchors)
    assert shown is not None
    assert ("Trusted", "Trusted", AI_ORIGIN) == (
        about["signed"],
        shown.state,
        shown.claims[0].source_type,
    )
    assert has_credentials(path)
    tagged(storage, files, credentials)
    again = show(stored(storage, name, tmp_path), credentials.anchors)
    assert again is not None
    assert ("Trusted", "c2pa.opened", 2) == (
        again.state,
        again.claims[0].actions[0],
        len(again.claims),
    )


@with_sdk
def test_the_vendors_credentials_are_not_broken(
    storage: Storage, credentials: Credentials, tmp_path: Path
) -> None:
    """Without credentials of ours a signed picture is published to the byte."""
    files = kept(storage, "image-1.jpg", picture("image-1.jpg", tmp_path), "image/jpeg")
    tagged(storage, files, credentials)
    before = stored(storage, "image-1.jpg", tmp_path).read_bytes()
    assert files["image-1.jpg"] == tagged(storage, files)
    assert before == stored(storage, "image-1.jpg", tmp_path).read_bytes()
