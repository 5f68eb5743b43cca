"""Pictures and sounds say what they are; nothing else is touched."""

import hashlib
import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.factories.audio import SOUNDS, heard, sound
from tests.factories.clips import clip, described, ffmpeg, packets, tags
from tests.factories.mp4_boxes import box
from worker.errors import Transient
from worker.fal.result import OTHER
from worker.formats import audio, images
from worker.formats.images import MAX_PICTURE, has_credentials, size_of, tag
from worker.formats.images import read_tags as picture_tags
from worker.formats.media_types import BY_EXTENSION
from worker.formats.mp4 import read_tags
from worker.formats.tags import AI_ORIGIN
from worker.formats.xmp import packet
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.provenance import Signer, source_credentials
from worker.provenance.development_certificate import CHAIN, KEY, ROOT, make_chain
from worker.provenance.reader import show
from worker.steps import passthrough_tags
from worker.steps.media_config import MediaConfig
from worker.steps.passthrough_tags import tag_files
from worker.steps.progress import Progress
from worker.steps.publish import Publish
from worker.steps.transcode_tag import TranscodeTag
from worker.storage import Storage
from worker.storage.layout import work_key
from worker.transcode.ffmpeg import Ffmpeg
from worker.types import Json

PICTURES = {
    "image-1.jpg": "image/jpeg",
    "image-2.png": "image/png",
    "image-3.webp": "image/webp",
    "image-4.gif": "image/gif",
}
SIGNED_SOUNDS = {
    "tagged.mp3": "audio/mpeg",
    "tagged.wav": "audio/wav",
    "odd.wav": "audio/wav",
    "tagged.m4a": "audio/mp4",
    "isom.m4a": "audio/mp4",
}
UNSIGNED_SOUNDS = {"tagged.flac": "audio/flac", "tagged.ogg": "audio/ogg"}
KINDS = PICTURES | SIGNED_SOUNDS
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


def made(name: str, tmp_path: Path) -> bytes:
    """A picture or a sound."""
    if name in SOUNDS:
        return sound(name).read_bytes()
    source = ("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", "-frames:v", "1", "-update", "1")
    codec = ("-c:v", "gif") if name.endswith(".gif") else ()
    ffmpeg(*source, *codec, "-f", "image2", str(tmp_path / name))
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
    storage: Storage, files: dict[str, Json], signer: Signer | None = None
) -> dict[str, Json]:
    records = tag_files(job(), files, storage=storage, config=MediaConfig(signer=signer))
    return cast(dict[str, Json], next(iter(records.values())))


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_tagged(name: str, storage: Storage, tmp_path: Path) -> None:
    """The picture says that a model made it, looks the same, and its record is of the new file."""
    data = made(name, tmp_path)
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


@pytest.mark.parametrize("name", SIGNED_SOUNDS | UNSIGNED_SOUNDS)
def test_sounds_are_tagged(name: str, storage: Storage, tmp_path: Path) -> None:
    """The sound says that a model made it, sounds the same, and its record is of the new file."""
    kind = (SIGNED_SOUNDS | UNSIGNED_SOUNDS)[name]
    about = tagged(storage, kept(storage, name, made(name, tmp_path), kind))
    path = stored(storage, name, tmp_path)
    assert AI_ORIGIN.encode() in path.read_bytes()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == about["sha256"]
    assert (path.stat().st_size, True) == (about["bytes"], about["tagged"])
    assert heard(sound(name)) == heard(path)
    assert name.startswith("tagged") == bool(about.get("replaced"))


@pytest.mark.parametrize("name", ["image-1.jpg", "image-4.gif", "plain.mp3", "plain.m4a"])
def test_again_changes_nothing(name: str, storage: Storage, tmp_path: Path) -> None:
    """A step done twice gives the same bytes."""
    kind = "audio/mpeg" if name in SOUNDS else "image/jpeg"
    files = kept(storage, name, made(name, tmp_path), kind)
    assert tagged(storage, files) == tagged(storage, files)


@pytest.mark.parametrize("name", PICTURES)
def test_a_producers_label_stays(name: str, storage: Storage, tmp_path: Path) -> None:
    """What a picture's producer says of it for the law of its place is neither lost nor changed."""
    label = '{"Label":"1","ContentProducer":"vendor"}'
    (tmp_path / name).write_bytes(made(name, tmp_path))
    tag(tmp_path / name, packet([("TC260:AIGC", label), ("dc:description", "the prompt")]))
    tagged(storage, kept(storage, name, (tmp_path / name).read_bytes(), KINDS[name]))
    path = stored(storage, name, tmp_path)
    assert {"AIGC": label} == picture_tags(path)
    assert AI_ORIGIN.encode() in path.read_bytes()
    assert b"the prompt" not in path.read_bytes()


def test_the_name_may_be_wrong(storage: Storage, tmp_path: Path) -> None:
    """A file is tagged as what it is, whatever the result says of it."""
    files = kept(storage, "audio-1.mp3", made("tagged.wav", tmp_path), "audio/mpeg")
    assert tagged(storage, files)["tagged"]
    assert heard(sound("tagged.wav")) == heard(stored(storage, "audio-1.mp3", tmp_path))


def test_a_video_beside_is_tagged(storage: Storage, tmp_path: Path) -> None:
    """A second video of a result says what it is, too; what it holds is the same."""
    files = kept(storage, "video-1.mp4", clip("high").read_bytes(), "video/mp4")
    assert tagged(storage, files)["tagged"]
    path = stored(storage, "video-1.mp4", tmp_path)
    assert AI_ORIGIN == read_tags(path)["DigitalSourceType"]
    assert packets(clip("high"), "v:0") == packets(path, "v:0")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("audio-1.mp3", b"ID3 sound", "cut short"),
        ("audio-1.mp3", b"\xff\xf1 AAC", "not an MP3, WAV"),
        ("audio-1.m4a", b"\0\0\0\1ftypM4A ", "a box of its tags"),
        ("image-1.gif", b"GIF89a", "not a complete"),
        ("image-1.avif", b"\0\0\0\x10ftypavif\0\0\0\0", "not a complete"),
        ("image-1.jpg", b"\xff\xd8\xff cut short", "not a complete"),
        ("image-1.png", b"no picture at all", "not an MP3, WAV"),
        ("file-1.bin", b"fLaC", "not an image, audio or video"),
    ],
)
def test_all_else_stays(
    name: str, data: bytes, words: str, storage: Storage, tmp_path: Path
) -> None:
    """Other formats and what only claims to be one are published as they came, with the reason."""
    kind = BY_EXTENSION.get(name.rpartition(".")[2], OTHER).name
    files = kept(storage, name, data, kind)
    about = tagged(storage, files)
    assert words in str(about.pop("untagged"))
    assert files[name] == about
    assert data == stored(storage, name, tmp_path).read_bytes()


@pytest.mark.parametrize(
    ("gap", "again", "expected"),
    [
        (b"", True, ["a second picture, such as a gain map or a preview"]),
        (bytes(7), True, ["a second picture, such as a gain map or a preview"]),
        (b"a trailer", False, ["9 bytes after the picture"]),
        (b"", False, None),
    ],
)
def test_what_follows_a_picture_is_noted(
    gap: bytes, again: bool, expected: list[str] | None, storage: Storage, tmp_path: Path
) -> None:
    """A second picture in the file, as of Ultra HDR, is dropped, and its record says so."""
    picture = made("image-1.jpg", tmp_path)
    data = picture + gap + (picture if again else b"")
    about = tagged(storage, kept(storage, "image-1.jpg", data, "image/jpeg"))
    assert (True, expected) == (about["tagged"], about.get("left_out"))


def test_a_huge_picture_is_not_read(storage: Storage) -> None:
    """What would not fit into the worker's memory is left alone: it is not even fetched."""
    about: Json = {"content_type": "image/png", "bytes": MAX_PICTURE + 1, "sha256": "0"}
    assert "more than" in str(tagged(storage, {"image-1.png": about})["untagged"])


@pytest.fixture
def credentials(tmp_path: Path) -> Signer:
    """A development certificate."""
    made = make_chain(tmp_path / "chain")
    anchors = str(made[ROOT])
    return Signer.load(made[CHAIN], key=made[KEY], command="", tsa="", anchors=anchors)


@with_sdk
@pytest.mark.parametrize("name", KINDS)
def test_files_are_signed(name: str, storage: Storage, credentials: Signer, tmp_path: Path) -> None:
    """With credentials the file was created; signed once more, its first claim is the parent."""
    files = kept(storage, name, made(name, tmp_path), KINDS[name])
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
    chained = tagged(storage, files, credentials)
    assert ("parent", "Trusted") == (chained["vendor"], chained["vendor_validation"])
    again = show(stored(storage, name, tmp_path), credentials.anchors)
    assert again is not None
    assert ("Trusted", "c2pa.opened", 2) == (
        again.state,
        again.claims[0].actions[0],
        len(again.claims),
    )


@with_sdk
@pytest.mark.parametrize("name", SIGNED_SOUNDS)
def test_signed_sounds_sound_the_same(
    name: str, storage: Storage, credentials: Signer, tmp_path: Path
) -> None:
    """Credentials change no packet, and the tags are read beside them."""
    tagged(storage, kept(storage, name, made(name, tmp_path), KINDS[name]), credentials)
    path = stored(storage, name, tmp_path)
    assert heard(sound(name)) == heard(path)
    assert "fal-ai/flux/dev job-1" in described(path)


@with_sdk
@pytest.mark.parametrize("name", [*UNSIGNED_SOUNDS, "rf64.wav"])
def test_what_cannot_be_signed_is_tagged(
    name: str, storage: Storage, credentials: Signer, tmp_path: Path
) -> None:
    """A sound of which the SDK knows no signing is published with tags, and says so."""
    kind = UNSIGNED_SOUNDS.get(name, "audio/wav")
    about = tagged(storage, kept(storage, name, made(name, tmp_path), kind), credentials)
    assert (True, None) == (about["tagged"], about.get("signed"))
    assert "signed" in str(about["unsigned"])


@with_sdk
def test_what_is_too_large_is_not_signed(
    storage: Storage,
    credentials: Signer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK takes a multiple of the file in memory: beyond a size files are tagged alone."""
    monkeypatch.setattr(passthrough_tags, "MAX_SIGNED", 1000)
    files = kept(storage, "plain.wav", made("plain.wav", tmp_path), "audio/wav")
    assert "more than 1000 bytes" in str(tagged(storage, files, credentials)["unsigned"])


@with_sdk
@pytest.mark.parametrize("name", ["image-1.jpg", "tagged.mp3", "tagged.wav", "tagged.m4a"])
def test_the_vendors_credentials_are_not_broken(
    name: str, storage: Storage, credentials: Signer, tmp_path: Path
) -> None:
    """Without credentials of ours a signed file is published to the byte."""
    files = kept(storage, name, made(name, tmp_path), KINDS[name])
    tagged(storage, files, credentials)
    before = stored(storage, name, tmp_path).read_bytes()
    about = tagged(storage, files)
    assert "content credentials" in str(about.pop("untagged"))
    assert files[name] == about
    assert before == stored(storage, name, tmp_path).read_bytes()


LINK = "https://vendor.example/1.c2pa"


def linked(name: str, tmp_path: Path) -> bytes:
    """A file whose credentials are elsewhere."""
    said = packet([("dcterms:provenance", LINK)])
    (tmp_path / name).write_bytes(made(name, tmp_path))
    if name in PICTURES:
        tag(tmp_path / name, said)
        return (tmp_path / name).read_bytes()
    said += bytes(len(said) % 2)
    return (tmp_path / name).read_bytes() + b"_PMX" + len(said).to_bytes(4, "little") + said


@with_sdk
@pytest.mark.parametrize("name", ["image-1.jpg", "image-2.png", "plain.wav"])
def test_credentials_elsewhere(
    name: str, storage: Storage, credentials: Signer, tmp_path: Path
) -> None:
    """They count as unreadable and the link stays; where we sign nothing the file stays as well."""
    kind = (KINDS | {"plain.wav": "audio/wav"})[name]
    files = kept(storage, name, linked(name, tmp_path), kind)
    assert "content credentials" in str(tagged(storage, files)["untagged"])
    about = tagged(storage, files, credentials)
    assert ("unreadable", "Trusted") == (about["vendor"], about["signed"])
    path = stored(storage, name, tmp_path)
    form = images if name in PICTURES else audio
    assert LINK == form.read_tags(path)["dcterms:provenance"]


def broken(name: str, tmp_path: Path) -> bytes:
    """A file with credentials that the SDK cannot read."""
    data, store = made(name, tmp_path), box(b"jumb", b"c2pa", b"broken")
    if name.endswith("wav"):
        return data + b"C2PA" + len(store).to_bytes(4, "little") + store
    return data[:33] + len(store).to_bytes(4) + b"caBX" + store + bytes(4) + data[33:]


@with_sdk
@pytest.mark.parametrize(
    ("make", "name"),
    [
        *((linked, name) for name in ("image-1.jpg", "image-2.png", "tagged.wav")),
        *((broken, name) for name in ("image-2.png", "tagged.wav")),
    ],
)
def test_what_has_unreadable_credentials_is_kept_as_it_came(
    make: Callable[[str, Path], bytes],
    name: str,
    storage: Storage,
    credentials: Signer,
    tmp_path: Path,
) -> None:
    """As for a video, the untouched file lies beside the one that is signed, after any try."""
    data, original = make(name, tmp_path), f"original-{name}"
    files = kept(storage, name, data, KINDS[name])
    config = MediaConfig(signer=credentials)
    for _ in range(2):  # as after a worker that was killed before it told the record
        records = tag_files(job(), files, storage=storage, config=config)
        about = cast(dict[str, Json], records[name])
        assert ("unreadable", "Trusted") == (about["vendor"], about["signed"])
        assert files[name] == records[original]
        assert data == stored(storage, original, tmp_path).read_bytes()
        shown = show(stored(storage, name, tmp_path), credentials.anchors)
        assert shown is not None
        assert 1 == len(shown.claims)


@with_sdk
def test_the_last_try_leaves_the_signature_out(
    storage: Storage, credentials: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it, a signature that cannot be had now is waited for."""

    def fails(*_: object, **__: object) -> object:
        raise Transient("timestamp_unavailable", "no time stamp")

    monkeypatch.setattr("worker.steps.passthrough_tags.sign_delivery", fails)
    name = "image-2.png"
    files = kept(storage, name, made(name, tmp_path), KINDS[name])
    config = MediaConfig(signer=credentials)
    with pytest.raises(Transient, match="no time stamp"):
        tag_files(job(), files, storage=storage, config=config)
    (about,) = tag_files(job(), files, storage=storage, config=config, last=True).values()
    assert isinstance(about, dict)
    assert (True, "no time stamp") == (about["tagged"], about["unsigned"])


@with_sdk
@pytest.mark.parametrize("name", ["tagged.wav", "image-2.png"])
def test_huge_credentials_are_not_read(
    name: str, storage: Storage, credentials: Signer, tmp_path: Path
) -> None:
    """The file stays as it came: what is in it is never given to the SDK."""
    data, store = made(name, tmp_path), box(b"jumb", b"c2pa", bytes(source_credentials.MAX_READ))
    if name.endswith("wav"):
        data += b"C2PA" + len(store).to_bytes(4, "little") + store
    else:
        data = data[:33] + len(store).to_bytes(4) + b"caBX" + store + bytes(4) + data[33:]
    files = kept(storage, name, data, KINDS[name])
    about = tagged(storage, files, credentials)
    assert "content credentials" in str(about.pop("untagged"))
    assert files[name] == about


def test_the_manifest_tells_of_sounds(storage: Storage, records: JobStore, tmp_path: Path) -> None:
    """A result of sounds is published tagged; of one that is broken the manifest says why not."""
    broken = b"RIFF\0\0\0\0WAVEfmt "
    files = kept(storage, "audio-1.mp3", made("tagged.mp3", tmp_path), "audio/mpeg")
    files |= kept(storage, "audio-2.wav", broken, "audio/wav")
    downloaded = replace(job(), state=JobState.DOWNLOADED, source={"files": files})
    step = TranscodeTag(storage=storage, ffmpeg=Ffmpeg.find(None), progress=Progress(records))
    outputs = cast(dict[str, Json], step.work(downloaded).set["outputs"])
    published = Publish(storage=storage, store=records).work(replace(downloaded, outputs=outputs))
    manifest = Path(published.event["manifest"])
    found = json.loads(manifest.read_text())["files"]
    data = manifest.with_name("audio-1.mp3").read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (
        found["audio-1.mp3"]["sha256"],
        found["audio-1.mp3"]["bytes"],
    )
    assert ["COMM:", "TIT2"] == found["audio-1.mp3"]["replaced"]
    assert heard(sound("tagged.mp3")) == heard(manifest.with_name("audio-1.mp3"))
    assert "not a complete WAV" in found["audio-2.wav"]["untagged"]
    assert broken == manifest.with_name("audio-2.wav").read_bytes()
