"""The files of the simulated fal: real media, and their mishaps."""

import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.fal.media.hostile_files import KINDS
from tests.factories.clips import ffmpeg_program
from tests.factories.simulated_fal import FalOverHttp, fal_running


@pytest.fixture(scope="module")
def fal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FalOverHttp]:
    with fal_running(tmp_path_factory.getbasetemp() / "files") as running:
        yield running


def _probe(path: Path) -> str:
    """Return ffmpeg's description of a file."""
    command = [ffmpeg_program(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize(
    ("arguments", "duration", "size"),
    [
        ({}, "00:00:05.0", "640x360"),
        ({"duration": "10", "aspect_ratio": "9:16"}, "00:00:10.0", "360x640"),
        ({"aspect_ratio": "1:1"}, "00:00:05.0", "480x480"),
    ],
)
def test_a_clip_is_a_real_video(
    fal: FalOverHttp, tmp_path: Path, arguments: dict[str, Any], duration: str, size: str
) -> None:
    """A clip is an MP4 of H.264 and AAC with the requested size, and its index at the start."""
    answer = fal.http.get(fal.file_url(**arguments))
    path = tmp_path / "clip.mp4"
    path.write_bytes(answer.content)
    report = _probe(path)
    assert f"Duration: {duration}" in report
    assert re.search(rf"Video: h264 .*yuv420p.* {size}", report), report
    assert "Audio: aac" in report
    assert answer.content.index(b"moov") < answer.content.index(b"mdat")
    assert ("video/mp4", str(len(answer.content))) == (
        answer.headers["content-type"],
        answer.headers["content-length"],
    )


@pytest.mark.parametrize(
    ("endpoint", "arguments", "kinds"),
    [
        ("fal-ai/kling-image/v3/text-to-image", {}, {"images": b"\x89PNG"}),
        ("fal-ai/kling-video/v1/tts", {"text": "good day"}, {"audio": b"ID3"}),
    ],
)
def test_other_models_return_other_media(
    fal: FalOverHttp, endpoint: str, arguments: dict[str, Any], kinds: dict[str, bytes]
) -> None:
    """Images are PNGs in a list, speech is an MP3."""
    (callback,) = fal.delivered(endpoint=endpoint, **arguments)
    payload = callback.json["payload"]
    assert list(kinds) == list(payload)
    for name, start in kinds.items():
        file = payload[name][0] if isinstance(payload[name], list) else payload[name]
        assert fal.http.get(file["url"]).content.startswith(start)


def test_a_file_supports_ranges_and_needs_no_key(fal: FalOverHttp) -> None:
    """A range request without a key is answered 206 with the file's ETag."""
    url = fal.file_url()
    whole = fal.http.get(url)
    part = fal.http.get(url, headers={"Range": "bytes=100-199", "Authorization": ""})
    assert (206, f"bytes 100-199/{len(whole.content)}") == (
        part.status_code,
        part.headers["content-range"],
    )
    assert (whole.content[100:200], whole.headers["etag"]) == (part.content, part.headers["etag"])


def test_requests_for_a_file_are_counted_for_its_job(fal: FalOverHttp) -> None:
    """Each request for a file is counted, and an unknown file is 404."""
    (callback,) = fal.delivered()
    fal.http.get(callback.json["payload"]["video"]["url"])
    assert 1 == fal.counts()["requests"][callback.request_id]["cdn"]
    assert 404 == fal.http.get("/files/b/0/none.mp4").status_code


def test_a_cut_file_can_be_resumed(fal: FalOverHttp) -> None:
    """`cdn-cut=1` ends halfway; the next request returns the rest."""
    url = fal.file_url("cdn-cut=1")
    got, length = _read_until_cut(fal, url)
    assert length // 2 == len(got)
    rest = fal.http.get(url, headers={"Range": f"bytes={len(got)}-"})
    assert (206, length) == (rest.status_code, len(got) + len(rest.content))


def _read_until_cut(fal: FalOverHttp, url: str) -> tuple[bytes, int]:
    got = b""
    with fal.http.stream("GET", url) as answer:
        try:
            for chunk in answer.iter_raw():
                got += chunk
        except httpx.RemoteProtocolError:
            return got, int(answer.headers["content-length"])
    pytest.fail("the file was not cut")


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_file_can_be_refused(fal: FalOverHttp, status: int) -> None:
    """`cdn-403`, `cdn-404` and `cdn-500` return their status as often as requested."""
    url = fal.file_url(f"cdn-{status}, times=2")
    assert [status, status, 200] == [fal.http.get(url).status_code for _ in range(3)]


def test_a_file_can_be_slow(fal: FalOverHttp) -> None:
    """`cdn-slow` sends the headers immediately and the body slowly."""
    url = fal.file_url("cdn-slow=3000")
    with fal.http.stream("GET", url, timeout=0.3) as answer:
        assert answer.headers["content-length"]
        with pytest.raises(httpx.ReadTimeout):
            answer.read()
    fast = fal.file_url("cdn-slow=0.2")
    whole = fal.http.get(fast)
    assert int(whole.headers["content-length"]) == len(whole.content)


def test_a_file_can_lack_its_length(fal: FalOverHttp) -> None:
    """`cdn-no-length` is chunked and complete."""
    (callback,) = fal.delivered("cdn-no-length")
    video = callback.json["payload"]["video"]
    answer = fal.http.get(video["url"])
    assert ("chunked", video["file_size"]) == (
        answer.headers["transfer-encoding"],
        len(answer.content),
    )


def test_a_file_can_redirect(fal: FalOverHttp) -> None:
    """`cdn-redirect` redirects to the file at another address, or to the given address."""
    moved = fal.http.get(fal.file_url("cdn-redirect"), follow_redirects=True)
    assert ([302], 200) == ([step.status_code for step in moved.history], moved.status_code)
    away = fal.http.get(fal.file_url("cdn-redirect=http://127.0.0.1:9/x"))
    assert "http://127.0.0.1:9/x" == away.headers["location"]


def test_a_file_can_be_an_html_page(fal: FalOverHttp) -> None:
    """`cdn-html` returns 200 with HTML."""
    answer = fal.http.get(fal.file_url("cdn-html"))
    assert (200, True) == (answer.status_code, b"<!doctype html>" in answer.content)


def test_a_truncated_file_is_half_of_its_clip(fal: FalOverHttp) -> None:
    """`file-truncated` has a correct Content-Length but only half of the clip."""
    whole = fal.http.get(fal.file_url()).content
    half = fal.http.get(fal.file_url("file-truncated"))
    assert int(half.headers["content-length"]) == len(half.content)
    assert whole[: len(whole) // 2] == half.content


def test_a_result_can_name_another_host(fal: FalOverHttp) -> None:
    """`file-foreign-host` names a host that is not fal's."""
    assert "files.example.net" == httpx.URL(fal.file_url("file-foreign-host")).host


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_files_are_served_as_videos(fal: FalOverHttp, kind: str) -> None:
    """`file-hostile` serves every kind under the name and type of a video."""
    (callback,) = fal.delivered(f"file-hostile={kind}")
    video = callback.json["payload"]["video"]
    assert ("output.mp4", "video/mp4") == (video["file_name"], video["content_type"])
    with fal.http.stream("GET", video["url"]) as answer:
        first = next(answer.iter_raw(), b"")
    assert ("video/mp4", kind == "gzip", kind == "endless", kind == "empty") == (
        answer.headers["content-type"],
        "content-encoding" in answer.headers,
        "content-length" not in answer.headers,
        not first,
    )


@pytest.mark.parametrize(
    ("kind", "description"), [("bomb", "8192x8192"), ("long", "Duration: 48:00")]
)
def test_bombs_are_small_files(
    fal: FalOverHttp, tmp_path: Path, kind: str, description: str
) -> None:
    """Small files claim a huge picture or a duration of days."""
    data = fal.http.get(fal.file_url(f"file-hostile={kind}")).content
    path = tmp_path / "bomb.mp4"
    path.write_bytes(data)
    assert len(data) < 2**20
    assert description in _probe(path)


def test_clients_must_trust_the_temporary_authority(fal: FalOverHttp) -> None:
    """A client that does not know the authority refuses the connection."""
    with (
        httpx.Client(verify=ssl.create_default_context(), trust_env=False) as client,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(str(fal.http.base_url))
