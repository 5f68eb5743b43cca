"""What tags, marks and XMP say of a file, to every reader of such tags."""

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
from worker.formats.tags import AI_ORIGIN, PromptTag, Tags
from worker.formats.xmp import NAMESPACES
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
BOTH = Marks(places=frozenset(Mark), provider="Acme 影业")
PROMPT = "a secret fox"


def properties(xmp: bytes) -> dict[str, str]:
    """The packet's properties, as an XML parser reads them."""
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


def test_xmp_says_what_iptc_asks_for() -> None:
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
def test_any_text_is_good_xml(title: str, prompt: str) -> None:
    """Whatever title and prompt hold, the packet parses, and the tags fit an MP4."""
    made = marked(title=title, prompt=prompt, prompt_tag=PromptTag.TEXT)
    found = properties(made.xmp({}))
    assert AI_ORIGIN == found["Iptc4xmpExt:DigitalSourceType"]
    assert isinstance(made.stamp({}), Stamp)


@pytest.mark.parametrize("text", ["نمی\u200cشود", "👩\u200d🚀", "क्\u200dष", "❤\ufe0f"])
def test_joiners_are_text(text: str) -> None:
    """What shapes words and holds emoji together stands in the tags as it was written."""
    made = marked(title=text)
    assert text == made.pairs({})["title"]
    assert text == properties(made.xmp({}))["dc:title"]


@pytest.mark.parametrize("control", ["\u202e", "\u2066", "\u200f", "\u061c", "\0", "\x1b", "\n"])
def test_controls_are_no_text(control: str) -> None:
    """Neither a control nor what turns a text's direction around gets into a tag."""
    assert "a b" == marked(title=f"a{control}b{control}").pairs({})["title"]


def test_the_prompt_is_kept_to_oneself() -> None:
    """Without a setting neither the prompt nor its hash is anywhere."""
    made = marked(prompt=PROMPT).stamp({})
    digest = hashlib.sha256(PROMPT.encode()).hexdigest().encode()
    for secret in (PROMPT.encode(), digest):
        assert secret not in made.udta + made.xmp


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
    """By setting the prompt, or its hash alone, is in both kinds of tags."""
    made = marked(prompt=PROMPT, prompt_tag=form)
    assert value == made.pairs({})[pair]
    assert value == properties(made.xmp({}))[qualified]
    assert (form is PromptTag.TEXT) == (PROMPT.encode() in made.stamp({}).udta)


def test_the_mark_of_the_eu() -> None:
    """A sentence that names the article, for people, beside the machine-readable origin."""
    assert "Article 50(2)" in tags().pairs({})["description"]
    assert "description" not in marked(marks=Marks(places=frozenset())).pairs({})
    assert AI_ORIGIN == marked(marks=Marks(places=frozenset())).pairs({})["DigitalSourceType"]


def label(made: Tags, source: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = json.loads(made.pairs(source)[AIGC])
    return found


def test_the_mark_of_china() -> None:
    """The label has the seven fields of the standard, ours where nobody labelled before."""
    expected = {
        "Label": "1",
        "ContentProducer": "Acme 影业",
        "ProduceID": "job-1",
        "ReservedCode1": "",
        "ContentPropagator": "Acme 影业",
        "PropagateID": "job-1",
        "ReservedCode2": "",
    }
    made = marked(marks=BOTH)
    assert list(expected.items()) == list(label(made, {}).items())
    assert expected == json.loads(properties(made.xmp({}))["TC260:AIGC"])


def test_the_producers_label_is_not_changed() -> None:
    """Of a label that is there already only the empty place of the propagator is filled."""
    theirs = {"Label": "1", "ContentProducer": "Kling", "ProduceID": "k-1", "ReservedCode1": "sig"}
    found = label(marked(marks=BOTH), {AIGC: json.dumps(theirs)})
    assert theirs == {key: found[key] for key in theirs}
    assert ("Acme 影业", "job-1") == (found["ContentPropagator"], found["PropagateID"])


def test_a_full_label_is_passed_on() -> None:
    """Where producer and propagator both stand, nothing is left for us to say."""
    theirs = {"Label": "1", "ContentProducer": "Kling", "ContentPropagator": "fal"}
    found = label(marked(marks=BOTH), {AIGC: json.dumps(theirs)})
    assert theirs == {key: value for key, value in found.items() if value}


@pytest.mark.parametrize("theirs", ["label", "[1]", '{"Label": 1}', "[" * 100_000])
def test_a_label_that_is_not_understood_is_passed_on(theirs: str) -> None:
    """What is no label of the standard stays as it is, and whole."""
    assert theirs == marked(marks=BOTH).pairs({AIGC: theirs})[AIGC]
    assert theirs == tags().pairs({AIGC: theirs})[AIGC]


def test_marks_are_parsed() -> None:
    """Places are listed in one text; the Chinese one needs a name."""
    assert Marks(places=frozenset()) == Marks.parse("none", "")
    assert BOTH == Marks.parse(" eu, cn", "Acme 影业")


@pytest.mark.parametrize(
    ("text", "provider", "words"), [("us", "", "no mark us; there are eu, cn"), ("cn", "", "AIGC")]
)
def test_marks_that_cannot_be(text: str, provider: str, words: str) -> None:
    """An unknown place, and a mark without its provider's name, are refused with the cure."""
    with pytest.raises(ValueError, match=words):
        Marks.parse(text, provider)


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> TranscodeResult:
    """A delivery with every mark and the prompt, one video copied and one encoded."""
    made = marked(marks=BOTH, prompt=PROMPT, prompt_tag=PromptTag.TEXT)
    into = tmp_path_factory.mktemp("tagged")
    profile = Profile.parse("web+360p")
    return transcode(clip("tall"), into, made, ffmpeg=Ffmpeg.find(None), profile=profile)


def told(program: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    command = [program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("name", ["video.mp4", "video-360p.mp4"])
def test_ffprobe_reads_it(name: str, delivery: TranscodeResult) -> None:
    """ffprobe shows standard tags and ours."""
    path = str(delivery.video.with_name(name))
    shown = json.loads(told("ffprobe", "-v", "error", "-show_format", "-of", "json", path))
    found = shown["format"]["tags"]
    assert "A fox in the snow" == found["title"]
    assert (AI_ORIGIN, "job-1") == (found["DigitalSourceType"], found["falhook.job_id"])
    assert "2026-03-04T05:06:07.000000Z" == found["creation_time"]
    assert PROMPT == found["falhook.prompt"]
    assert "Acme 影业" == json.loads(found[AIGC])["ContentProducer"]


@pytest.mark.parametrize("name", ["video.mp4", "video-360p.mp4", "poster.jpg", "poster.webp"])
def test_exiftool_reads_it(name: str, delivery: TranscodeResult) -> None:
    """exiftool shows the XMP of videos and pictures alike, and finds no fault with the file."""
    path = str(delivery.video.with_name(name))
    (found,) = json.loads(told("exiftool", "-json", "-G1", "-a", path))
    assert AI_ORIGIN == found["XMP-iptcExt:DigitalSourceType"]
    assert "A fox in the snow" == found["XMP-dc:Title"]
    label = next(value for key, value in found.items() if key.lower() == "xmp-tc260:aigc")
    assert "Acme 影业" == json.loads(label)["ContentProducer"]
    assert "OK" in told("exiftool", "-validate", path)


@pytest.mark.parametrize("name", ["video.mp4", "video-360p.mp4"])
def test_mediainfo_reads_it(name: str, delivery: TranscodeResult) -> None:
    """mediainfo shows standard tags and ours."""
    path = str(delivery.video.with_name(name))
    shown = told("mediainfo", path)
    lines = {line.partition(":")[0].strip(): line.partition(": ")[2] for line in shown.splitlines()}
    assert "A fox in the snow" == lines["Movie name"]
    assert (AI_ORIGIN, "job-1") == (lines["DigitalSourceType"], lines["falhook.job_id"])
