"""A requested endpoint is found, or the error suggests the one that was meant."""

import pytest

from tests.factories.catalogue import CATALOGUE, KLING, kling
from worker.catalogue.errors import UnknownEndpoint, UnknownSchema, WithdrawnEndpoint


@pytest.mark.parametrize(
    ("requested", "nearest"),
    [
        (f"{KLING}/v2/standard/image-to-video", f"{KLING}/v2.1/standard/image-to-video"),
        ("kling-video/v2.1/master/image-to-vido", f"{KLING}/v2.1/master/image-to-video"),
        (f"https://queue.fal.run/{KLING}/v1/tts", f"{KLING}/v1/tts"),
    ],
)
def test_an_unknown_endpoint_gets_the_nearest(requested: str, nearest: str) -> None:
    """One sentence: what was requested, the suggestion, how to list all."""
    with pytest.raises(UnknownEndpoint) as caught:
        CATALOGUE.find(requested)
    assert nearest in caught.value.nearest
    assert f"did you mean {nearest}" in str(caught.value)
    assert str(caught.value).endswith("`falhook models` lists all")


@pytest.mark.parametrize(
    ("requested", "nearest"),
    [
        ("create-voice", f"{KLING}/create-voice"),
        ("v3/pro/text-to-video", f"{KLING}/v3/pro/text-to-video"),
        ("Kling-Video/V1/TTS/", f"{KLING}/v1/tts"),
    ],
)
def test_the_end_of_an_id_is_enough_for_a_suggestion(requested: str, nearest: str) -> None:
    """People often copy the last steps of the path from a page."""
    with pytest.raises(UnknownEndpoint) as caught:
        CATALOGUE.find(requested)
    assert (nearest,) == caught.value.nearest


@pytest.mark.parametrize("requested", ["KLING", "text-to-video", "fal-ai/kling-video"])
def test_a_part_of_many_ids_gets_their_list(requested: str) -> None:
    """Instead of a suggestion the error names the command that lists them."""
    with pytest.raises(UnknownEndpoint) as caught:
        CATALOGUE.find(requested)
    count = len(CATALOGUE.search(requested))
    cure = f"`falhook models {requested}` lists the {count} that contain it"
    assert f'"{requested}" is not in the catalogue: {cure}' == str(caught.value)


def test_an_endpoint_without_a_similar_one() -> None:
    """Without a suggestion the error still says how to list all."""
    with pytest.raises(UnknownEndpoint) as caught:
        CATALOGUE.find("x")
    assert '"x" is not in the catalogue: `falhook models` lists all' == str(caught.value)


@pytest.mark.parametrize(
    ("path", "successor"),
    [
        ("v1/pro/text-to-video", f"{KLING}/v1.6/pro/text-to-video"),
        ("v1/pro/image-to-video", f"{KLING}/v1.5/pro/image-to-video"),
    ],
)
def test_a_withdrawn_endpoint_names_its_successor(path: str, successor: str) -> None:
    """It cannot be checked or shown; the successor accepts the same inputs."""
    model = kling(path)
    with pytest.raises(WithdrawnEndpoint, match=f"withdrawn by fal: use {successor}"):
        model.check({"prompt": "a cat"})
    with pytest.raises(WithdrawnEndpoint):
        model.example()
    names = {item.name for item in CATALOGUE.find(successor).inputs}
    assert {item.name for item in model.inputs} <= names


def test_an_announced_endpoint_cannot_be_checked() -> None:
    """Only the name and the price of Kling 4 are known."""
    model = CATALOGUE.find("kling/v4/text-to-video")
    with pytest.raises(UnknownSchema, match="fal has published no schema yet"):
        model.check({"prompt": "a cat"})


def test_search_requires_every_word() -> None:
    """Words match the id or the request type in any case; an empty search matches all."""
    ids = [model.endpoint for model in CATALOGUE.search("1.6 PRO effects")]
    assert [f"{KLING}/v1.6/pro/effects"] == ids
    assert len(CATALOGUE.search()) == len(CATALOGUE.search("kling"))
    assert () == CATALOGUE.search("no such thing")
