"""Lengths and ranges are enforced for the endpoints for which fal documents them."""

import pytest

from tests.factories.catalogue import Arguments, kling, refused

IMAGE = "https://example.com/cat.png"


@pytest.mark.parametrize("length", [2083, 2084])
def test_a_url_length_is_enforced_where_documented(length: int) -> None:
    """Kling 2.1 master accepts URLs of 2083 characters; other versions state no limit."""
    address = IMAGE + "?" + "s" * (length - len(IMAGE) - 1)
    given = {"prompt": "a cat", "image_url": address}
    assert given == kling("v2.1/pro/image-to-video").check(given)
    master = kling("v2.1/master/image-to-video")
    embedded = given | {"image_url": "data:image/png;base64," + "A" * 9000}
    assert embedded == master.check(embedded)
    if length <= 2083:
        assert given == master.check(given)
    else:
        message = "must be a URL of at most 2,083 characters, not 2,084"
        assert message == refused(master, given)["image_url"].message


@pytest.mark.parametrize(("length", "fits"), [(2500, True), (2501, False)])
def test_a_prompt_of_kling_2_1_master_has_2500_characters(length: int, fits: bool) -> None:
    """A longer one is rejected with its length, not its text."""
    model, given = kling("v2.1/master/text-to-video"), {"prompt": "p" * length}
    if fits:
        assert given == model.check(given)
    else:
        assert "(2,501 characters)" == refused(model, given)["prompt"].value


TEXT = {"prompt": "a cat"}
MASTER = "v2.1/master/text-to-video"
LIPSYNC = {"video_url": IMAGE, "text": "Hello.", "voice_id": "AOT"}
V1 = "v1/standard/text-to-video"
PAN = {"movement_type": "pan", "movement_value": 3}


@pytest.mark.parametrize(
    ("path", "least", "name", "taken", "refused_value"),
    [
        (MASTER, {}, "prompt", "a", ""),
        (MASTER, {}, "prompt", " a\n\tb ", " \n\t"),
        (MASTER, TEXT, "negative_prompt", "", None),
        (MASTER, TEXT, "cfg_scale", 0, -0.01),
        (MASTER, TEXT, "cfg_scale", 1, 1.01),
        (MASTER, TEXT, "cfg_scale", 0.5, "0.5"),
        (MASTER, TEXT, "cfg_scale", 1.0, True),
        (MASTER, TEXT, "duration", "10", "7"),
        (MASTER, TEXT, "duration", "5", True),
        (MASTER, TEXT, "aspect_ratio", "1:1", "4:3"),
        (V1, TEXT, "camera_control", "down_back", "up_back"),
        (V1, TEXT, "advanced_camera_control", PAN, "pan"),
        ("v3/pro/text-to-video", TEXT, "duration", "3", "2"),
        ("v3/pro/text-to-video", TEXT, "duration", "15", "16"),
        ("v3/pro/text-to-video", TEXT, "generate_audio", False, 0),
        ("o1/reference-to-video", TEXT, "duration", "10", "11"),
        ("v1.6/pro/elements", TEXT, "input_image_urls", [IMAGE] * 4, [IMAGE] * 5),
        ("v1.6/pro/elements", TEXT, "input_image_urls", [IMAGE], []),
        ("v1.6/pro/effects", {}, "effect_scene", "dizzydizzy", "dizzy"),
        ("lipsync/text-to-video", LIPSYNC, "text", "x" * 120, "x" * 121),
        ("lipsync/text-to-video", LIPSYNC, "voice_speed", 1, float("nan")),
        ("lipsync/text-to-video", LIPSYNC, "voice_speed", 0.8, float("inf")),
        ("lipsync/text-to-video", LIPSYNC, "voice_language", "zh", "fr"),
        ("video-to-audio", {"video_url": IMAGE}, "sound_effect_prompt", "x" * 200, "x" * 201),
        ("create-voice", {}, "voice_url", "data:audio/mpeg;base64,AA==", "data:audio/mpeg"),
        ("create-voice", {}, "voice_url", "HTTPS://example.com/a", "ftp://example.com/a"),
        ("create-voice", {}, "voice_url", "http://8.8.8.8:8000/a", "http://"),
    ],
)
def test_the_documented_bounds(
    path: str, least: Arguments, name: str, taken: object, refused_value: object
) -> None:
    """A value on the bound is accepted; one beyond it is rejected by name."""
    model = kling(path)
    assert least | {name: taken} == model.check(least | {name: taken})
    assert [name] == list(refused(model, least | {name: refused_value}))
