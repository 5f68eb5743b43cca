"""Settings and jobs decide together what is made."""

import pytest

from tests.factories.clips import tags
from webhook.settings.errors import SettingsError
from worker.composition import media_config
from worker.errors import Permanent
from worker.formats.marks import Mark
from worker.formats.tag_choices import PromptTag
from worker.jobs.job import Job
from worker.settings.media import MediaSettings
from worker.steps.media_config import MediaConfig
from worker.transcode.loudness_target import LOUDNESS_KEY, LoudnessTarget
from worker.transcode.profiles import ORIGINAL, PROFILE_KEY, Profile
from worker.types import Json


def job(**metadata: Json) -> Job:
    made = tags()
    return Job(
        id=made.job_id,
        endpoint=made.endpoint,
        request_id=made.request_id,
        arguments={"prompt": "a fox"},
        metadata=metadata,
        created_at=made.created.timestamp(),
    )


def test_defaults() -> None:
    """Without settings: the video, its poster, the mark of the EU, and nothing of the prompt."""
    made = media_config(MediaSettings.from_env({}))
    assert MediaConfig() == made
    assert (ORIGINAL, frozenset({Mark.EU}), PromptTag.OFF) == (
        made.profile,
        made.marks.places,
        made.prompt_tag,
    )


def test_settings_are_read() -> None:
    """Profile, marks and prompt are taken from the environment."""
    environ = {
        "FALHOOK_PROFILE": "web+preview",
        "FALHOOK_MARKS": "cn",
        "FALHOOK_AIGC_PROVIDER": "acme",
        "FALHOOK_TAG_PROMPT": "hash",
        "FALHOOK_LOUDNESS": "-16",
    }
    made = media_config(MediaSettings.from_env(environ))
    assert "web+preview" == made.profile.name
    assert (frozenset({Mark.CN}), "acme") == (made.marks.places, made.marks.provider)
    assert LoudnessTarget(-16.0) == made.loudness
    assert PromptTag.HASH is made.tags(job()).prompt_tag


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("FALHOOK_PROFILE", "hd", "FALHOOK_PROFILE 'hd' is not a profile"),
        ("FALHOOK_MARKS", "us", "FALHOOK_MARKS 'us' contains the unknown mark us"),
        ("FALHOOK_MARKS", "cn", "requires FALHOOK_AIGC_PROVIDER"),
        ("FALHOOK_TAG_PROMPT", "yes", "FALHOOK_TAG_PROMPT"),
        ("FALHOOK_LOUDNESS", "-40", "FALHOOK_LOUDNESS '-40' is not a loudness: use LUFS from -31"),
        ("FALHOOK_LOUDNESS", "loud", "FALHOOK_LOUDNESS 'loud' is not a loudness: use LUFS"),
    ],
)
def test_settings_that_cannot_be(name: str, value: str, words: str) -> None:
    """A setting that names what is not is refused by name when the process starts."""
    with pytest.raises(SettingsError, match=words):
        MediaSettings.from_env({name: value})


def test_a_job_may_ask_for_another_profile() -> None:
    """Its metadata goes before the setting; what it should not have got past is permanent."""
    house = MediaConfig(profile=Profile.parse("web"))
    assert "web" == house.profile_of(job()).name
    assert "original+720p" == house.profile_of(job(**{PROFILE_KEY: "original+720p"})).name
    with pytest.raises(Permanent, match=r"unknown_profile.*falhook\.profile 'hd' is not a profile"):
        house.profile_of(job(**{PROFILE_KEY: "hd"}))


def test_a_job_may_ask_for_another_loudness() -> None:
    """Its metadata goes before the setting, also to switch it off."""
    house = MediaConfig(loudness=LoudnessTarget(-14.0))
    assert LoudnessTarget(-14.0) == house.loudness_of(job())
    assert LoudnessTarget(-23.0) == house.loudness_of(job(**{LOUDNESS_KEY: -23}))
    assert LoudnessTarget(None) == house.loudness_of(job(**{LOUDNESS_KEY: "off"}))
    with pytest.raises(Permanent, match=r"unknown_loudness.*falhook\.loudness '0' is not"):
        house.loudness_of(job(**{LOUDNESS_KEY: 0}))


def test_tags_are_the_jobs() -> None:
    """Title, ids and date come from the job; the prompt only goes where a setting says so."""
    made = MediaConfig().tags(job(title="A fox in the snow"))
    expected = tags(comment=made.comment).pairs({})
    assert expected == made.pairs({})
    assert "A fox in the snow" != MediaConfig().tags(job(title=7)).title
