"""The download step, from a CDN over TLS: what a result contains is had, or named."""

import base64
import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from tests.factories.audio import sound
from tests.factories.cdn import Answer, FakeCdn, plain, running_cdn
from tests.factories.clips import clip
from tests.factories.input_files import MP3, PNG
from tests.factories.world import ManualClock
from worker.errors import Permanent, Transient
from worker.fal.download import AllowedHosts, Downloader, DownloadLimits
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.steps.download import CDN_PATIENCE, Download
from worker.steps.passthrough import unchanged_outputs
from worker.steps.progress import Progress
from worker.storage import Storage
from worker.storage.layout import SOURCE, work_key
from worker.types import Json

CLIP = clip("high").read_bytes()
GLB = b"glTF\x02\0\0\0" + bytes(600)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
PAGE = b"<!DOCTYPE html><html><body>Not ready yet</body></html>"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeCdn, httpx.Client]]:
    """A running CDN, and a client that trusts it."""
    directory = tmp_path_factory.mktemp("cdn")
    with running_cdn(directory) as cdn:
        context = ssl.create_default_context(cafile=directory / "ca.pem")
        with httpx.Client(verify=context, trust_env=False) as client:
            yield cdn, client


@pytest.fixture
def cdn(authority: tuple[FakeCdn, httpx.Client]) -> FakeCdn:
    """The CDN, without answers."""
    authority[0].script.clear()
    return authority[0]


@pytest.fixture
def step(authority: tuple[FakeCdn, httpx.Client], records: JobStore, tmp_path: Path) -> Download:
    """The step, on a clock that stands, long after the render."""
    hosts = AllowedHosts.parse(f"localhost:{authority[0].port}")
    return Download(
        downloader=Downloader(
            hosts=hosts, limits=DownloadLimits(max_bytes=10_000_000), client=authority[1]
        ),
        storage=Storage.open(str(tmp_path / "storage")),
        progress=Progress(records),
        clock=ManualClock(),
    )


def job(payload: Json, *, needs_file: int = 0, **arguments: Json) -> Job:
    """A job with this result."""
    return Job(
        id="j1",
        endpoint="acme/x",
        arguments=arguments,
        payload=payload,
        state=JobState.RENDERED,
        needs_file=needs_file,
    )


def source_of(step: Download, work: Job) -> dict[str, Any]:
    """What the step says of the files that it stored."""
    outcome = step.work(work)
    assert JobState.DOWNLOADED is outcome.to
    return cast(dict[str, Any], outcome.set["source"])


def address(cdn: FakeCdn, *names: str) -> list[str]:
    return [cdn.url(f"/files/{name}") for name in names]


def test_bare_urls_are_files(cdn: FakeCdn, step: Download) -> None:
    """A URL on an allowed host is downloaded whatever its key is; the video goes through media."""
    video, picture = address(cdn, "v.mp4", "t.jpg")
    cdn.answers(plain(200, PNG), plain(200, CLIP))
    source = source_of(step, job({"video_url": video, "thumbnail_url": picture, "n": [7]}))
    assert (len(CLIP), ["image-1.png"]) == (source["bytes"], list(source["files"]))
    assert CLIP == step.storage.read(work_key("j1", SOURCE))


@pytest.mark.parametrize(
    "wrap",
    [
        str,
        lambda url: [url],
        lambda url: {"a": {"b": [[url]]}},
        lambda url: {"video": {"url": url.replace("https:", "http:")}},
        lambda url: {"video_url": url.replace("localhost", "localhost.").removeprefix("https:")},
        lambda url: {"output": json.dumps({"video": {"url": url}})},
    ],
)
def test_wherever_it_is(cdn: FakeCdn, step: Download, wrap: Any) -> None:
    """A whole result, a list, deep inside, in a text of JSON, and spelled in another way."""
    cdn.answers(plain(200, CLIP))
    assert len(CLIP) == source_of(step, job(wrap(address(cdn, "v.mp4")[0])))["bytes"]


def test_a_file_beside_its_preview(cdn: FakeCdn, step: Download) -> None:
    """A File may contain other files."""
    video, picture = address(cdn, "v.mp4", "p.png")
    cdn.answers(plain(200, PNG), plain(200, CLIP))
    source = source_of(step, job({"video": {"url": video, "preview": {"url": picture}}}))
    assert ["image-1.png"] == list(source["files"])


def test_a_repeated_input_is_no_result(cdn: FakeCdn, step: Download) -> None:
    """A bare URL that was sent to fal is not published as something that fal made."""
    mine, made = address(cdn, "mine.png", "made.png")
    cdn.answers(plain(200, PNG))
    source = source_of(step, job({"out": made, "image_url": mine}, image_url=mine))
    assert ["out"] == [about["output"] for about in source["files"].values()]


@pytest.mark.parametrize("whole", [False, True])
def test_an_embedded_video(step: Download, whole: bool) -> None:
    """A data URI is taken where it comes, and goes through the media step if it is a video."""
    uri = f"data:video/mp4;base64,{base64.b64encode(CLIP).decode()}"
    source = source_of(step, job({"video": {"url": uri} if whole else uri}, needs_file=1))
    assert len(CLIP) == source["bytes"]
    assert CLIP == step.storage.read(work_key("j1", SOURCE))


def test_links_are_data(step: Download) -> None:
    """A text with citations is published itself; nothing is asked."""
    payload: Json = {"output": "It is so", "citations": [{"url": "https://example.com/a"}]}
    work = job(payload)
    source = source_of(step, work)
    assert {"files": {}} == source
    assert payload == (unchanged_outputs(replace(work, source=source)) or {})["result"]


def test_what_cannot_be_had_is_named(cdn: FakeCdn, step: Download) -> None:
    """One of several files is missing with its reason; a file elsewhere is named as well."""
    good, gone = address(cdn, "a.png", "b.png")
    cdn.answers(plain(200, PNG), plain(404))
    payload: Json = {
        "images": [{"url": good}, {"url": gone}],
        "elsewhere": {"url": "https://example.com/c.png", "content_type": "image/png"},
    }
    source = source_of(step, job(payload, needs_file=1))
    assert ["image-1.png"] == list(source["files"])
    assert {
        "image-2.png": {"output": "images[1]", "reason": "download_gone"},
        "image-3.png": {"output": "elsewhere", "reason": "download_refused"},
    } == source["skipped"]


def test_more_files_than_are_published(cdn: FakeCdn, step: Download) -> None:
    """The first ones are published, the others are named."""
    cdn.answers(*[plain(200, PNG)] * 64)
    urls: Json = [*address(cdn, *(f"{n}.png" for n in range(66)))]
    source = source_of(step, job(urls))
    assert (64, {"too_many_files"}) == (
        len(source["files"]),
        {about["reason"] for about in source["skipped"].values()},
    )
    assert 2 == len(source["skipped"])


@pytest.mark.parametrize(
    ("payload", "needs_file", "reason"),
    [
        ({"image": {"url": "GONE"}}, 1, "download_gone"),
        ({"image": {"url": "GONE"}, "seed": 7, "prompt": "a fox"}, 0, "download_gone"),
        ({"image": {"url": "GONE"}, "text": "words"}, 1, "download_gone"),
        ({"video": {"url": "https://example.com/v.mp4"}}, 1, "download_refused"),
    ],
)
def test_nothing_is_left(
    cdn: FakeCdn, step: Download, payload: Json, needs_file: int, reason: str
) -> None:
    """Only a result without any usable part fails; what the model repeats is none."""
    cdn.answers(plain(404))
    (gone,) = address(cdn, "x.png")
    if isinstance(payload, dict) and "image" in payload:
        payload = {**payload, "image": {"url": gone}}
    with pytest.raises(Permanent, match=reason):
        step.work(job(payload, needs_file=needs_file, prompt="a fox"))


def test_the_words_are_left(cdn: FakeCdn, step: Download) -> None:
    """Where any result will do, its text is published, and the missing file named."""
    cdn.answers(plain(404))
    payload: Json = {"output": "It is so", "image": {"url": address(cdn, "x.png")[0]}}
    source = source_of(step, job(payload))
    assert ({}, ["image-1.png"]) == (source["files"], list(source["skipped"]))


@pytest.mark.parametrize(
    ("file", "body", "expected"),
    [
        ({"content_type": "image/png"}, "plain.wav", ("audio-1.wav", "audio/wav")),
        ({"content_type": "audio/vnd.wave"}, "plain.wav", ("audio-1.wav", "audio/wav")),
        ({"content_type": "audio/x-flac"}, "plain.flac", ("audio-1.flac", "audio/flac")),
        ({"content_type": "binary/octet-stream"}, PNG, ("image-1.png", "image/png")),
        ({"content_type": "image/apng"}, PNG, ("image-1.png", "image/png")),
        ({"file_name": "x.jpeg"}, b"\xff\xd8\xff\xe0" + bytes(600), ("image-1.jpg", "image/jpeg")),
        ({"content_type": "image/jpeg"}, PNG, ("image-1.png", "image/png")),
        ({"content_type": "audio/mp4"}, "isom.m4a", ("audio-1.m4a", "audio/mp4")),
        ({"file_name": "Fox.GLB"}, GLB, ("file-1.glb", "model/gltf-binary")),
        ({"content_type": "model/gltf-binary"}, GLB, ("file-1.glb", "model/gltf-binary")),
        ({"content_type": "image/svg+xml"}, SVG, ("image-1.svg", "image/svg+xml")),
        ({"file_name": "a.srt"}, b"1\n00:00", ("file-1.srt", "application/x-subrip")),
        (
            {"file_name": "lora.safetensors", "content_type": "binary/octet-stream"},
            b"\x08\0\0\0\0\0\0\0{}" + bytes(600),
            ("file-1.safetensors", "application/octet-stream"),
        ),
        ({"file_name": "../../x.py\0/e%2f..sh"}, b"echo", ("file-1.sh", "application/x-sh")),
        ({"content_type": "text/html"}, PAGE, ("file-1.txt", "text/plain")),
        ({"content_type": "x" * 900}, b"\0\1", ("file-1.bin", "application/octet-stream")),
        ({}, b"%PDF-1.7", ("file-1.pdf", "application/pdf")),
    ],
)
def test_bytes_decide(
    cdn: FakeCdn,
    step: Download,
    file: dict[str, Json],
    body: bytes | str,
    expected: tuple[str, str],
) -> None:
    """Then what fal says; the record has both, and the name is never fal's own."""
    name, kind = expected
    data = body if isinstance(body, bytes) else sound(body).read_bytes()
    cdn.answers(plain(200, data))
    source = source_of(step, job({"x": {"url": address(cdn, "f")[0], **file}}))
    about = source["files"][name]
    assert (kind, len(data)) == (about["content_type"], about["bytes"])
    assert set(about.get("declared", {})) == set(file)
    assert data == step.storage.read(work_key("j1", name))


def test_only_bytes_show_that_it_is_a_video(cdn: FakeCdn, step: Download) -> None:
    """A clip that is declared as nothing is the job's video; what lies beside it stays."""
    made, picture = address(cdn, "made", "b.png")
    cdn.answers(plain(200, CLIP), plain(200, PNG))
    file: Json = {"url": made, "content_type": "application/octet-stream"}
    source = source_of(step, job({"output": file, "still": picture}))
    assert (len(CLIP), "output", ["image-1.png"]) == (
        source["bytes"],
        source["output"],
        list(source["files"]),
    )
    assert CLIP == step.storage.read(work_key("j1", SOURCE))


@pytest.mark.parametrize("path", ["v.mp4", "x.png"])
@pytest.mark.parametrize("first", [plain(404), plain(403), plain(200, PAGE)])
def test_the_cdn_may_be_late(cdn: FakeCdn, step: Download, first: Answer, path: str) -> None:
    """Soon after the render a missing file, or a page in its place, is waited for."""
    work = replace(job([address(cdn, path)[0]]), updated_at=step.clock() - CDN_PATIENCE + 1)
    cdn.answers(first, first)
    with pytest.raises(Transient, match=r"download_gone|download_not_media"):
        step.work(work)
    with pytest.raises(Permanent, match=r"download_gone|download_not_media"):
        step.work(replace(work, updated_at=work.updated_at - 2))


@pytest.mark.parametrize("encoding", ["", " ", "identity", "Identity, identity", "none"])
def test_encodings_that_encode_nothing(cdn: FakeCdn, step: Download, encoding: str) -> None:
    """The body is as it was asked for."""
    cdn.answers(plain(200, MP3, Content_Encoding=encoding))
    assert ["audio-1.mp3"] == list(source_of(step, job([address(cdn, "a.mp3")[0]]))["files"])


def test_paths_are_encoded(cdn: FakeCdn, step: Download) -> None:
    """Blanks and letters beyond ASCII are sent as RFC 3987 says; what is encoded stays so."""
    cdn.answers(plain(200, PNG))
    source_of(step, job({"image": {"url": cdn.url("/my fox/füchs%20in.png?a=ü b")}}))
    assert "/my%20fox/f%C3%BCchs%20in.png?a=%C3%BC%20b" == cdn.requests[-1].path
