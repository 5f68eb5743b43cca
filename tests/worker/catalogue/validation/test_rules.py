"""Rules between inputs are enforced; each violation is one problem."""

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
    """Exactly one of them must be passed, and it must not be empty."""
    assert paths == list(refused(kling("v3/turbo/pro/text-to-video"), given))


def test_a_series_amount_needs_a_series() -> None:
    """`series_amount` is rejected unless `result_type` is "series"."""
    model = CATALOGUE.find("fal-ai/kling-image/o3/text-to-image")
    given = {"prompt": "a cat", "series_amount": 3}
    assert ["series_amount"] == list(refused(model, given))
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


PORTRAIT, VIDEO = {"frontal_image_url": IMAGE}, {"video_url": IMAGE}


def test_one_element_may_be_a_video() -> None:
    """fal accepts a single video among the elements of a request."""
    model = kling("v3/pro/image-to-video")
    given = {"prompt": "a cat", "start_image_url": IMAGE}
    assert model.check(given | {"elements": [VIDEO, PORTRAIT]})
    problems = refused(model, given | {"elements": [VIDEO, PORTRAIT, VIDEO]})
    assert "at most 1 of elements[].video_url, not 2" == problems["elements"].message


def test_a_video_among_the_elements_leaves_room_for_four_references() -> None:
    """Without a video fal documents no limit."""
    model = kling("o3/pro/reference-to-video")
    given = {"prompt": "a cat", "image_urls": [IMAGE] * 4}
    assert model.check(given | {"elements": [PORTRAIT]})
    assert model.check(given | {"image_urls": [IMAGE] * 3, "elements": [VIDEO]})
    message = refused(model, given | {"elements": [VIDEO]})["image_urls"].message
    assert message.endswith("counted together if elements[].video_url is passed, not 5")


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
def test_an_element_needs_media(path: str, least: Arguments, message: str) -> None:
    """Elements without image or video are rejected at their path, with the accepted members."""
    given = {"prompt": "a cat", "elements": [{}, PORTRAIT, {"reference_image_urls": []}], **least}
    problems = refused(kling(path), given)
    messages = {path: item.message for path, item in problems.items() if path.endswith("]")}
    assert {"elements[0]": message, "elements[2]": message} == messages
