"""Tags, marks and XMP of a file, as every reader of them shows it."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.clips import clip, tags
from worker.formats.aigc_label import AIGC
from worker.formats.marks import Mark, Marks
from worker.formats.mp4 import Stamp
from worker.formats.tag_choices import JobTag, PromptTag
from worker.formats.tags import AI_ORIGIN, Tags
from worker.formats.xmp import NAMESPACES
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
BOTH = Marks(places=frozenset(Mark), provider="Acme 影业")
PROMPT = "a secret fox"


def properties(xmp: bytes) -> dict[str, str]:
    """Return the packet's properties, as an XML parser reads them."""
    text = xmp.decode().partition("?>")[2].rpartition("<?")[0]
    description = ElementTree.fromstring(text).find(f".//{RDF}Description")
    assert description is not None
    prefixes = {uri: prefix for prefix, uri in NAMESPACES.items()}
    found = {}
    for child in description:
        uri, name = child.tag[1:].split("}")
        found[f"{prefixes[uri]}:{name}"] = "".join(child.itertext())
    return found


def marked(**changes: object) -> Tags:
    return replace(tags(), **changes)  # type: ignore[arg-type]


def test_xmp_has_the_iptc_properties() -> None:
    """The AI origin, the system used, title, date and ids are properties of the packet."""
    found = properties(tags().xmp({}))
    expected = {
        "Iptc4xmpExt:DigitalSourceType": AI_ORIGIN,
        "Iptc4xmpExt:AISystemUsed": "fal-ai/kling-video/v2.1/master/text-to-video",
        "dc:title": "A fox in the snow",
        "xmp:CreateDate": "2026-03-04T05:06:07Z",
        "falhook:JobId": "job-1",
        "falhook:RequestId": "request-1",
    }
    assert expected == {key: found.get(key) for key in expected}


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_valid_xml(title: str, prompt: str) -> None:
    """With any title and prompt the packet parses, and the tags fit an MP4."""
    ours = marked(title=title, prompt=prompt, prompt_tag=PromptTag.TEXT)
    found = properties(ours.xmp({}))
    assert AI_ORIGIN == found["Iptc4xmpExt:DigitalSourceType"]
    assert isinstance(ours.stamp({}), Stamp)


@pytest.mark.parametrize("text", ["نمی\u200cشود", "👩\u200d🚀", "क्\u200dष", "❤\ufe0f"])
def test_joiners_are_kept(text: str) -> None:
    """Characters that shape words and join emoji are kept in tags."""
    ours = marked(title=text)
    assert text == ours.pairs({})["title"]
    assert text == properties(ours.xmp({}))["dc:title"]


@pytest.mark.parametrize("control", ["\u202e", "\u2066", "\u200f", "\u061c", "\0", "\x1b", "\n"])
def test_controls_are_removed(control: str) -> None:
    """Control characters and direction marks are not written into tags."""
    assert "a b" == marked(title=f"a{control}b{control}").pairs({})["title"]


def test_the_prompt_is_private_by_default() -> None:
    """By default neither the prompt nor its hash is written."""
    ours = marked(prompt=PROMPT).stamp({})
    digest = hashlib.sha256(PROMPT.encode()).hexdigest().encode()
    for secret in (PROMPT.encode(), digest):
        assert secret not in ours.udta + ours.xmp


@pytest.mark.parametrize(
    ("form", "pair", "qualified", "value"),
    [
        (PromptTag.TEXT, "falhook.prompt", "Iptc4xmpExt:AIPromptInformation", PROMPT),
        (
            PromptTag.HASH,
            "falhook.prompt_sha256",
            "falhook:PromptSHA256",
            hashlib.sha256(PROMPT.encode()).hexdigest(),
        ),
    ],
)
def test_the_prompt_on_request(form: PromptTag, pair: str, qualified: str, value: str) -> None:
    """If set, the prompt or its hash is in both kinds of tags."""
    ours = marked(prompt=PROMPT, prompt_tag=form)
    assert value == ours.pairs({})[pair]
    assert value == properties(ours.xmp({}))[qualified]
    assert (form is PromptTag.TEXT) == (PROMPT.encode() in ours.stamp({}).udta)


SHA_OF_JOB = hashlib.sha256(b"job-1").hexdigest()


@pytest.mark.parametrize(
    ("form", "present"),
    [
        (JobTag.IDS, {"job-1", "request-1", "kling-video", "falhook 0"}),
        (JobTag.HASH, {SHA_OF_JOB}),
        (JobTag.OFF, set()),
    ],
)
def test_what_files_say_of_their_job(form: JobTag, present: set[str]) -> None:
    """Ids, endpoint and tool are in a file only by `ids`, and the hash only by `hash`."""
    written = marked(job_tag=form, marks=Marks()).stamp({})
    text = (written.udta + written.xmp).decode("utf-8", "replace")
    known = {"job-1", "request-1", "kling-video", "falhook 0", SHA_OF_JOB}
    assert present == {word for word in known if word in text}


@pytest.mark.parametrize("form", [JobTag.HASH, JobTag.OFF])
def test_the_chinese_label_does_not_name_the_job(form: JobTag) -> None:
    """The label needs an id of the content; it is a hash unless files name their job."""
    assert SHA_OF_JOB == label(marked(job_tag=form, marks=BOTH), {})["ProduceID"]


@given(
    st.sampled_from([JobTag.HASH, JobTag.OFF]), st.from_regex(r"[a-z0-9]{12,40}", fullmatch=True)
)
def test_no_id_is_written_unless_ids_are(form: JobTag, job_id: str) -> None:
    """Whatever the id, neither kind of tags has it."""
    ours = marked(job_tag=form, job_id=job_id, request_id=f"r-{job_id}", title="T", marks=BOTH)
    written = ours.stamp({})
    assert job_id.encode() not in written.udta + written.xmp


def test_the_mark_of_the_eu() -> None:
    """A sentence names the article; the machine-readable origin does not depend on it."""
    assert "Article 50(2)" in tags().pairs({})["description"]
    assert "description" not in marked(marks=Marks(places=frozenset())).pairs({})
    assert AI_ORIGIN == marked(marks=Marks(places=frozenset())).pairs({})["DigitalSourceType"]


def label(ours: Tags, source: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = json.loads(ours.pairs(source)[AIGC])
    return found


def test_the_mark_of_china() -> None:
    """The label has the seven fields of the standard, with our values if there was none."""
    expected = {
        "Label": "1",
        "ContentProducer": "Acme 影业",
        "ProduceID": "job-1",
        "ReservedCode1": "",
        "ContentPropagator": "Acme 影业",
        "PropagateID": "job-1",
        "ReservedCode2": "",
    }
    ours = marked(marks=BOTH)
    assert list(expected.items()) == list(label(ours, {}).items())
    assert expected == json.loads(properties(ours.xmp({}))["TC260:AIGC"])


def test_the_producers_label_is_not_changed() -> None:
    """Only an empty propagator of an existing label is filled in."""
    theirs = {"Label": "1", "ContentProducer": "Kling", "ProduceID": "k-1", "ReservedCode1": "sig"}
    found = label(marked(marks=BOTH), {AIGC: json.dumps(theirs)})
    assert theirs == {key: found[key] for key in theirs}
    assert ("Acme 影业", "job-1") == (found["ContentPropagator"], found["PropagateID"])


def test_a_complete_label_is_kept() -> None:
    """A label with producer and propagator is kept unchanged."""
    theirs = {"Label": "1", "ContentProducer": "Kling", "ContentPropagator": "fal"}
    found = label(marked(marks=BOTH), {AIGC: json.dumps(theirs)})
    assert theirs == {key: value for key, value in found.items() if value}


@pytest.mark.parametrize("theirs", ["label", "[1]", '{"Label": 1}', "[" * 100_000])
def test_an_unknown_label_is_kept(theirs: str) -> None:
    """A label that does not follow the standard is kept unchanged."""
    assert theirs == marked(marks=BOTH).pairs({AIGC: theirs})[AIGC]
    assert theirs == tags().pairs({AIGC: theirs})[AIGC]


def test_marks_are_parsed() -> None:
    """Marks are a comma-separated list; cn requires a provider."""
    assert Marks(places=frozenset()) == Marks.parse("none", "")
    assert BOTH == Marks.parse(" eu, cn", "Acme 影业")


@pytest.mark.parametrize(
    ("text", "provider", "words"),
    [("us", "", "unknown mark us; use eu, cn or none"), ("cn", "", "AIGC")],
)
def test_invalid_marks(text: str, provider: str, words: str) -> None:
    """An unknown mark, and cn without a provider, are refused with the correction."""
    with pytest.raises(ValueError, match=words):
        Marks.parse(text, provider)


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> TranscodeResult:
    """A delivery with every mark and the prompt, one video copied and one encoded."""
    ours = marked(marks=BOTH, prompt=PROMPT, prompt_tag=PromptTag.TEXT)
    into = tmp_path_factory.mktemp("tagged")
    profile = Profile.parse("web+360p")
    return transcode(clip("tall"), into, ours, ffmpeg=Ffmpeg.find(None), profile=profile)


def output_of(program: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    command = [program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("name", ["video.mp4", "video-360p.mp4"])
def test_ffprobe_reads_it(name: str, delivery: TranscodeResult) -> None:
    """ffprobe shows standard tags and ours."""
    path = str(delivery.video.with_name(name))
    shown = json.loads(output_of("ffprobe", "-v", "error", "-show_format", "-of", "json", path))
    found = shown["format"]["tags"]
    assert "A fox in the snow" == found["title"]
    assert (AI_ORIGIN, "job-1") == (found["DigitalSourceType"], found["falhook.job_id"])
    assert "2026-03-04T05:06:07.000000Z" == found["creation_time"]
    assert PROMPT == found["falhook.prompt"]
    assert "Acme 影业" == json.loads(found[AIGC])["ContentProducer"]


@pytest.mark.parametrize("name", ["video.mp4", "video-360p.mp4", "poster.jpg", "poster.webp"])
def test_exiftool_reads_it(name: str, delivery: TranscodeResult) -> None:
    """exiftool shows the XMP of videos and images, and finds no fault with the file."""
    path = str(delivery.video.with_name(name))
    (found,) = json.loads(output_of("exiftool", "-json", "-G1", "-a", path))
    assert AI_ORIGIN == found["XMP-iptcExt:DigitalSourceType"]
    assert "A fox in the snow" == found["XMP-dc:Title"]
    label = next(value for key, value in found.items() if key.lower() == "xmp-tc260:aigc")
    assert "Acme 影业" == json.loads(label)["ContentProducer"]
    assert "OK" in output_of("exiftool", "-validate", path)


@pytest.mark.parametrize("name", ["video.mp4", "video-360p.mp4"])
def test_mediainfo_reads_it(name: str, delivery: TranscodeResult) -> None:
    """mediainfo shows standard tags and ours."""
    path = str(delivery.video.with_name(name))
    shown = output_of("mediainfo", path)
    lines = {line.partition(":")[0].strip(): line.partition(": ")[2] for line in shown.splitlines()}
    assert "A fox in the snow" == lines["Movie name"]
    assert (AI_ORIGIN, "job-1") == (lines["DigitalSourceType"], lines["falhook.job_id"])
