"""Estimates depend on length and soundtrack, and state their confidence and source."""

from decimal import Decimal
from typing import Any

import pytest

from tests.factories.catalogue import CATALOGUE, CHECKED, KLING, kling
from worker.catalogue.endpoint import Endpoint

IMAGE = "https://example.com/cat.png"
VOICED = [{"frontal_image_url": IMAGE, "voice_id": "voice_1"}]
SHOTS = [{"prompt": "a cat"}, {"prompt": "a dog", "duration": "4"}]


@pytest.mark.parametrize(
    ("path", "arguments", "usd"),
    [
        ("v2/master/image-to-video", {}, "1.40"),
        ("v2/master/text-to-video", {"duration": "5"}, "1.40"),
        ("v2.1/master/image-to-video", {"duration": 10}, "2.80"),
        ("v2.1/pro/image-to-video", {"duration": "10"}, "0.98"),
        ("v2.1/standard/image-to-video", {"duration": "5"}, "0.28"),
        ("v2.5-turbo/pro/text-to-video", {"duration": "10"}, "0.70"),
        ("v1.6/pro/text-to-video", {"duration": "5"}, "0.475"),
        ("v2.6/pro/image-to-video", {}, "0.70"),
        ("v2.6/pro/image-to-video", {"generate_audio": False}, "0.35"),
        ("v2.6/pro/image-to-video", {"voice_ids": ["v"]}, "0.84"),
        ("v2.6/pro/image-to-video", {"voice_ids": []}, "0.70"),
        ("v2.6/pro/image-to-video", {"voice_ids": ["v"], "generate_audio": False}, "0.35"),
        ("v3/pro/image-to-video", {"elements": VOICED, "duration": "10"}, "1.96"),
        ("v3/standard/text-to-video", {"generate_audio": False, "duration": "3"}, "0.252"),
        ("v3/4k/text-to-video", {"generate_audio": False}, "2.10"),
        ("o3/pro/text-to-video", {}, "0.70"),
        ("o3/pro/text-to-video", {"generate_audio": False}, "0.56"),
        ("v3/turbo/pro/text-to-video", {"multi_prompt": SHOTS}, "1.26"),
        ("v3/turbo/pro/text-to-video", {"multi_prompt": SHOTS, "duration": "15"}, "2.10"),
    ],
)
def test_the_estimate_follows_length_and_soundtrack(path: str, arguments: Any, usd: str) -> None:
    """Dollars to the cent, or as exact as the rate, from the arguments and the defaults."""
    estimate = kling(path).estimate(arguments)
    assert estimate is not None
    assert Decimal(usd) == estimate.usd
    assert usd == str(estimate.usd)


def test_the_sentence_contains_the_calculation_and_its_source() -> None:
    """Figure, length, rate, confidence and source in one sentence."""
    estimate = kling("v2.1/master/image-to-video").estimate({"duration": "10"})
    assert estimate is not None
    expected = (
        "about $2.80 for 10 s ($1.40 for the first 5 s, then $0.28/s; confidence high, from "
        "https://fal.ai/models/fal-ai/kling-video/v2.1/master/image-to-video/llms.txt)"
    )
    assert expected == estimate.sentence


@pytest.mark.parametrize(
    ("path", "price"),
    [
        ("o1/image-to-video", "price not known"),
        ("lipsync/audio-to-video", "$0.014/s of input (rounded up to steps of 5 s)"),
        ("ai-avatar/v2/pro", "$0.115/s"),
        ("v3/pro/motion-control", "$0.168/s (earlier $0.126)"),
        ("v1/pro/text-to-video", "price not known"),
    ],
)
def test_an_unknown_cost_is_not_guessed(path: str, price: str) -> None:
    """Without a price, or with a length decided by the input media, there is no estimate."""
    model = kling(path)
    assert model.estimate({}) is None
    assert price == model.price_sentence


def test_rates_are_shown_with_their_variants() -> None:
    """The table shows the rates with and without sound."""
    with_sound = "$0.14/s, $0.07 silent, $0.168 with voices"
    assert with_sound == kling("v2.6/pro/image-to-video").price_sentence
    assert "$1.40 for 5 s, then $0.28/s" == kling("v2/master/text-to-video").price_sentence


@pytest.mark.parametrize(
    ("path", "price"),
    [
        ("v2.6/pro/text-to-video", "$0.14/s, $0.07 silent"),
        ("v3/pro/text-to-video", "$0.168/s, $0.112 silent"),
        ("v3/pro/image-to-video", "$0.168/s, $0.112 silent, $0.196 with voices"),
    ],
)
def test_a_variant_is_shown_if_an_input_can_request_it(path: str, price: str) -> None:
    """One tier has voices for image-to-video but not for text-to-video."""
    assert price == kling(path).price_sentence


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("v2/master/text-to-video", "kling-video/v2/master/text-to-video/llms.txt"),
        ("v2/master/image-to-video", "Kling Video V2 Master"),
        ("v2.1/master/image-to-video", "kling-video/v2.1/master/image-to-video/llms.txt"),
    ],
)
def test_a_price_names_the_page_that_states_it(path: str, page: str) -> None:
    """The source is the endpoint's own page."""
    price = kling(path).price
    assert price is not None
    assert page in price.source


@pytest.mark.parametrize(
    ("endpoint", "arguments", "expected"),
    [
        (f"{KLING}/v2.1/pro/image-to-video", {"duration": 10}, "It should cost about $0.98 for 10"),
        (f"{KLING}/lipsync/audio-to-video", {}, "Its cost depends on its input: $0.014/s of input"),
        (f"{KLING}/o1/image-to-video", {}, "Its price is not known."),
        (
            f"{KLING}/o3/4k/video-to-video/edit",
            {},
            "Its inputs are not known, so its cost cannot be estimated: $0.42/s.",
        ),
        (
            "kling/v4/video-to-video/edit",
            {},
            "Its cost depends on its input: $0.141/s of input and output, $0.094 at 720p, at least "
            "2 times the output.",
        ),
    ],
)
def test_the_cost_of_a_job_in_a_sentence(endpoint: str, arguments: Any, expected: str) -> None:
    """The estimate, or the reason why there is none."""
    assert expected in CATALOGUE.find(endpoint).cost_sentence(arguments)


VIDEO = "https://example.com/cat.mp4"


@pytest.mark.parametrize(
    ("path", "arguments", "sentence"),
    [
        ("text-to-video", {}, "about $1.175 for 5 s ($0.235/s;"),
        ("text-to-video", {"resolution": "1080p", "duration": 30}, "about $7.05 for 30 s"),
        ("text-to-video", {"resolution": "720p"}, "about $0.785 for 5 s ($0.157/s at 720p;"),
        ("image-to-video", {"multi_prompt": [{"duration": 4}, {"duration": "8"}]}, "about $2.82 "),
        ("reference-to-video", {"image_urls": [IMAGE]}, "about $1.175 for 5 s"),
        (
            "reference-to-video",
            {"video_urls": [VIDEO]},
            "at least $1.41 for 5 s ($0.141/s of input and output, at least 2 times the output;",
        ),
        (
            "reference-to-video",
            {"elements": [{"video_url": VIDEO}], "resolution": "720p", "duration": 10},
            "at least $1.88 for 10 s",
        ),
        ("reference-to-video", {"video_urls": []}, "about $1.175 for 5 s"),
    ],
)
def test_kling_4_costs_by_resolution_and_by_reference_video(
    path: str, arguments: Any, sentence: str
) -> None:
    """With a video fal bills input and output, but at least twice the output's seconds."""
    model = CATALOGUE.find(f"kling/v4/{path}")
    assert f"It should cost {sentence}" in model.cost_sentence(arguments)


def test_kling_4_shows_every_rate() -> None:
    """The price of a reference with a video follows the one without."""
    expected = (
        "$0.235/s, $0.157 at 720p; with a video $0.141/s of input and output, $0.094 at 720p, "
        "at least 2 times the output"
    )
    assert expected == CATALOGUE.find("kling/v4/reference-to-video").price_sentence


def test_published_render_times_are_known() -> None:
    """fal's pages have them for few endpoints."""
    paths = ["o3/standard/image-to-video", "o3/pro/image-to-video", "v3/turbo/pro/text-to-video"]
    assert [94, 318, 61] == [kling(path).typical_seconds for path in paths]
    assert kling("v2/master/text-to-video").typical_seconds is None


@pytest.mark.parametrize("model", CHECKED, ids=lambda model: model.endpoint)
@pytest.mark.parametrize(
    "unchecked", [{"duration": object()}, {"duration": "x"}, {"multi_prompt": [1]}, {"elements": 1}]
)
def test_invalid_arguments_do_not_break_the_estimate(model: Endpoint, unchecked: Any) -> None:
    """The estimate is None or above zero for any arguments."""
    estimate = model.estimate(unchecked)
    assert estimate is None or estimate.usd > 0


@pytest.mark.parametrize(
    ("path", "arguments", "seconds"),
    [
        ("v2/master/text-to-video", {}, 5),
        ("v2/master/text-to-video", {"duration": "10"}, 10),
        ("v3/pro/text-to-video", {"multi_prompt": SHOTS}, 9),
        ("v2/master/text-to-video", {"duration": 86400}, 86400),
        ("v2/master/text-to-video", {"duration": 86401}, None),
        ("v2/master/text-to-video", {"duration": 10**30}, None),
        ("v2/master/text-to-video", {"duration": 1e30}, None),
        ("v2/master/text-to-video", {"duration": float("inf")}, None),
        ("v2/master/text-to-video", {"duration": 0}, None),
        ("v2/master/text-to-video", {"duration": -50}, None),
        ("v2/master/text-to-video", {"duration": "-50"}, None),
        ("v3/pro/text-to-video", {"multi_prompt": [{"duration": 1}] * 86_401}, None),
        ("v3/pro/text-to-video", {"multi_prompt": [*SHOTS, {"duration": -5}]}, None),
        ("v3/pro/text-to-video", {"multi_prompt": []}, None),
        ("v3/pro/text-to-video", {"multi_prompt": SHOTS, "duration": 10**30}, None),
        ("o3/pro/video-to-video/reference", {}, None),
        ("lipsync/audio-to-video", {}, None),
    ],
)
def test_output_seconds(path: str, arguments: Any, seconds: int | None) -> None:
    """The clip's length, if the arguments or the default decide it."""
    assert seconds == kling(path).output_seconds(arguments)
