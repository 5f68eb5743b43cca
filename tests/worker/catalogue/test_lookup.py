"""An endpoint that is asked for is found, or met with the one that was meant."""

import pytest

from tests.factories.catalogue import CATALOGUE, KLING, kling
from worker.catalogue.errors import UnknownEndpoint, UnknownSchema, WithdrawnEndpoint


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        (f"{KLING}/v2/standard/image-to-video", f"{KLING}/v2.1/standard/image-to-video"),
        ("kling-video/v2.1/master/image-to-vido", f"{KLING}/v2.1/master/image-to-video"),
        (f"https://queue.fal.run/{KLING}/v1/tts", f"{KLING}/v1/tts"),
    ],
)
def test_an_unknown_endpoint_is_answered_with_the_nearest(asked: str, nearest: str) -> None:
    """One sentence: what was asked, what may have been meant, how to see all."""
    with pytest.raises(UnknownEndpoint) as caught:
        CATALOGUE.find(asked)
    assert nearest in caught.value.nearest
    assert f"did you mean {nearest}" in str(caught.value)
    assert str(caught.value).endswith("`falhook models` lists all")


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("create-voice", f"{KLING}/create-voice"),
        ("v3/pro/text-to-video", f"{KLING}/v3/pro/text-to-video"),
        ("Kling-Video/V1/TTS/", f"{KLING}/v1/tts"),
    ],
)
def test_the_end_of_an_id_is_enough_for_a_guess(asked: str, nearest: str) -> None:
    """What people read off a page is often the last steps of the path."""
    with pytest.raises(UnknownEndpoint) as caught:
        CATALOGUE.find(asked)
    assert (nearest,) == caught.value.nearest


@pytest.mark.parametrize("asked", ["KLING", "text-to-video", "fal-ai/kling-video"])
def test_what_many_ids_hold_is_met_with_their_list(asked: str) -> None:
    """No guess among so many, but the command that shows them."""
    with pytest.raises(UnknownEndpoint) as caught:
        CATALOGUE.find(asked)
    cure = f"`falhook models {asked}` lists the {len(CATALOGUE.search(asked))} that hold it"
    assert f'"{asked}" is not in the catalogue: {cure}' == str(caught.value)


def test_an_endpoint_like_none_is_told_as_such() -> None:
    """Without a near name the sentence still holds the cure."""
    with pytest.raises(UnknownEndpoint) as caught:
        CATALOGUE.find("x")
    assert '"x" is not in the catalogue: `falhook models` lists all' == str(caught.value)


@pytest.mark.parametrize(
    ("path", "instead"),
    [
        ("v1/pro/text-to-video", f"{KLING}/v1.6/pro/text-to-video"),
        ("v1/pro/image-to-video", f"{KLING}/v1.5/pro/image-to-video"),
    ],
)
def test_a_withdrawn_endpoint_names_its_successor(path: str, instead: str) -> None:
    """Nothing is checked or shown for it; the successor takes the same inputs."""
    model = kling(path)
    with pytest.raises(WithdrawnEndpoint, match=f"withdrawn by fal: use {instead}"):
        model.check({"prompt": "a cat"})
    with pytest.raises(WithdrawnEndpoint):
        model.example()
    successor = {item.name for item in CATALOGUE.find(instead).inputs}
    assert {item.name for item in model.inputs} <= successor


def test_an_announced_endpoint_cannot_be_checked() -> None:
    """Kling 4 is known by name and price alone."""
    model = CATALOGUE.find("kling/v4/text-to-video")
    with pytest.raises(UnknownSchema, match="no schema is known yet"):
        model.check({"prompt": "a cat"})


def test_search_wants_every_word() -> None:
    """Words match the id or the request type, whatever their case; nothing matches all."""
    found = [model.endpoint for model in CATALOGUE.search("1.6 PRO effects")]
    assert [f"{KLING}/v1.6/pro/effects"] == found
    assert len(CATALOGUE.search()) == len(CATALOGUE.search("kling"))
    assert () == CATALOGUE.search("no such thing")
