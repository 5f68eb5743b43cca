"""Parsing of profile names."""

import pytest

from worker.transcode.choices import EXTRA_NAMES, MASTER_NAMES
from worker.transcode.outputs import H264
from worker.transcode.profiles import EXTRAS, MASTERS, PROFILE_KEY, Profile, requested_profile
from worker.types import Json


@pytest.mark.parametrize(
    ("text", "lines", "files"),
    [
        ("original", None, ["poster.jpg"]),
        ("web", 1080, ["poster.jpg", "poster.webp"]),
        ("original+720p", None, ["poster.jpg", "video-720p.mp4"]),
        ("web+webp + preview", 1080, ["poster.jpg", "poster.webp", "preview.mp4"]),
    ],
)
def test_parse(text: str, lines: int | None, files: list[str]) -> None:
    """A profile has a master and extras; one that is named twice is created once."""
    profile = Profile.parse(text)
    assert (lines, files) == (profile.lines, [output.file for output in profile.outputs])


@pytest.mark.parametrize("text", ["", "720p", "web+4k", "web+", "Original", "web,720p"])
def test_unknown_is_refused(text: str) -> None:
    """Any other text is refused with a list of masters and extras."""
    with pytest.raises(ValueError, match=r"original or web.*\+720p") as error:
        Profile.parse(text)
    assert repr(text) in str(error.value)


def test_files_have_names_of_their_own() -> None:
    """No two outputs of a profile have the same file."""
    every = Profile.parse("+".join(("web", *EXTRAS)))
    files = ["video.mp4", *(output.file for output in every.outputs)]
    assert sorted(set(files)) == sorted(files)
    assert {"libwebp", "libsvtav1"} == every.encoders
    assert frozenset() == Profile.parse(next(iter(MASTERS))).encoders


@pytest.mark.parametrize(("lines", "crf"), [(180, "23"), (360, "23"), (361, "21"), (9999, "21")])
def test_crf_by_lines(lines: int, crf: str) -> None:
    """Small renditions are compressed more: the loss is not visible at their size."""
    options = H264.options(lines)
    assert crf == options[options.index("-crf") + 1]


def test_a_job_requests_a_profile() -> None:
    """A job's metadata may name another profile; other metadata does not matter."""
    assert requested_profile({"profile": "customer-7"}) is None
    assert Profile.parse("web+720p") == requested_profile({PROFILE_KEY: "web+720p"})


@pytest.mark.parametrize("requested", ["hd", 7, ["web"]])
def test_an_invalid_requested_profile(requested: str | int | list[Json]) -> None:
    """Any other value of that key is refused."""
    with pytest.raises(ValueError, match=r"is not a profile|must be a string"):
        requested_profile({PROFILE_KEY: requested})


def test_the_listed_names_are_those_of_the_profiles() -> None:
    """The setting's description names every master and extra, in the order of the messages."""
    assert (MASTER_NAMES, EXTRA_NAMES) == (tuple(MASTERS), tuple(EXTRAS))
