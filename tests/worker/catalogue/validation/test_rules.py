"""What holds between inputs is checked, and told as one problem where it is broken."""

import pytest

from tests.factories.catalogue import CATALOGUE, Arguments, kling, refused

IMAGE = "https://example.com/cat.png"


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({}, ["prompt"]),
        ({"prompt": "a", "multi_prompt": [{"prompt": "b"}]}, ["multi_prompt"]),
        ({"multi_prompt": []}, ["multi_prompt"]),
        ({"prompt": "  "}, ["prompt"]),
    ],
)
def test_prompt_or_shot_list_but_not_both(given: Arguments, paths: list[str]) -> None:
    """Where a shot list can stand for the prompt, exactly one of them is given, and not empty."""
    assert paths == list(refused(kling("v3/turbo/pro/text-to-video"), given))


def test_a_series_amount_needs_a_series() -> None:
    """`series_amount` is refused unless the result is to be a series."""
    model = CATALOGUE.find("fal-ai/kling-image/o3/text-to-image")
    given = {"prompt": "a cat", "series_amount": 3}
    assert list(refused(model, given)) == ["series_amount"]
    series = given | {"result_type": "series"}
    assert series == model.check(series)


def test_references_are_counted_over_all_lists() -> None:
    """Images and elements share one limit."""
    model = kling("o1/video-to-video/edit")
    element = {"frontal_image_url": IMAGE}
    given = {"prompt": "a cat", "video_url": IMAGE, "image_urls": [IMAGE] * 3}
    assert model.check(given | {"elements": [element]})
    problems = refused(model, given | {"elements": [element] * 2})
    message = "at most 4 of image_urls and elements, counted together, not 5"
    assert message == problems["image_urls"].message


PORTRAIT, FILM = {"frontal_image_url": IMAGE}, {"video_url": IMAGE}


def test_one_element_may_be_a_video() -> None:
    """fal takes a single video among the elements of a request."""
    model = kling("v3/pro/image-to-video")
    given = {"prompt": "a cat", "start_image_url": IMAGE}
    assert model.check(given | {"elements": [FILM, PORTRAIT]})
    problems = refused(model, given | {"elements": [FILM, PORTRAIT, FILM]})
    assert "at most 1 of elements[].video_url, not 2" == problems["elements"].message


def test_a_video_among_the_elements_leaves_room_for_four_references() -> None:
    """Without one the number is not bounded by what fal says."""
    model = kling("o3/pro/reference-to-video")
    given = {"prompt": "a cat", "image_urls": [IMAGE] * 4}
    assert model.check(given | {"elements": [PORTRAIT]})
    assert model.check(given | {"image_urls": [IMAGE] * 3, "elements": [FILM]})
    message = refused(model, given | {"elements": [FILM]})["image_urls"].message
    assert message.endswith("counted together where elements[].video_url is given, not 5")


COMBO = "frontal_image_url, reference_image_urls or video_url is required"
STILL = "frontal_image_url or reference_image_urls is required"


@pytest.mark.parametrize(
    ("path", "least", "message"),
    [
        ("v3/pro/image-to-video", {"start_image_url": IMAGE}, COMBO),
        ("o3/pro/reference-to-video", {}, COMBO),
        ("o3/pro/video-to-video/edit", {"video_url": IMAGE}, STILL),
    ],
)
def test_an_element_shows_something(path: str, least: Arguments, message: str) -> None:
    """Elements without picture or film are refused where they stand, with what they may hold."""
    given = {"prompt": "a cat", "elements": [{}, PORTRAIT, {"reference_image_urls": []}], **least}
    problems = refused(kling(path), given)
    told = {path: one.message for path, one in problems.items() if path.endswith("]")}
    assert {"elements[0]": message, "elements[2]": message} == told
