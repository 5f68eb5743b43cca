"""A requested endpoint is found, or the error suggests the one that was meant."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.factories.catalogue import CATALOGUE, KLING, kling
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import Status
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
    with pytest.raises(WithdrawnEndpoint, match=f"withdrawn by fal by 2026-04-01: use {successor}"):
        model.check({"prompt": "a cat"})
    with pytest.raises(WithdrawnEndpoint):
        model.example()
    names = {item.name for item in CATALOGUE.find(successor).inputs}
    assert {item.name for item in model.inputs} <= names


@pytest.mark.parametrize(
    ("days", "status", "refused"),
    [(-1, Status.WITHDRAWN, True), (0, Status.WITHDRAWN, True), (1, Status.LISTED, False)],
)
def test_an_endpoint_is_refused_from_the_day_of_its_withdrawal(
    days: int, status: Status, refused: bool
) -> None:
    """Before that day it is served; the sentence names the day and the successor."""
    day = datetime.now(UTC).date() + timedelta(days=days)
    model = replace(kling("v2/master/text-to-video"), withdrawn_at=day, replaced_by="acme/new")
    assert status is model.current_status
    if refused:
        with pytest.raises(WithdrawnEndpoint, match=f"by fal by {day}: use acme/new"):
            model.check({"prompt": "a cat"})
    else:
        assert {"prompt": "a cat"} == model.check({"prompt": "a cat"})


def test_a_deprecated_endpoint_is_served() -> None:
    """From the day on which fal advises against it, only its status changes."""
    day = datetime.now(UTC).date()
    model = replace(kling("v2/master/text-to-video"), deprecated_at=day)
    assert Status.DEPRECATED is model.current_status
    assert {"prompt": "a cat"} == model.check({"prompt": "a cat"})
    later = replace(model, deprecated_at=day + timedelta(days=1))
    assert Status.LISTED is later.current_status


def test_dates_are_read_from_a_file(tmp_path: Path) -> None:
    """TOML has dates of its own, and JSON has them as text."""
    (tmp_path / "a.toml").write_text('[models."acme/a"]\nwithdrawn_at = 2026-01-31\n')
    row = {"models": {"acme/b": {"deprecated_at": "2026-02-28"}}}
    (tmp_path / "b.json").write_text(json.dumps(row))
    catalogue = Catalogue.load(tmp_path)
    assert date(2026, 1, 31) == catalogue.find("acme/a").withdrawn_at
    assert date(2026, 2, 28) == catalogue.find("acme/b").deprecated_at


def test_an_announced_endpoint_cannot_be_checked() -> None:
    """Only its name and its price are known."""
    model = CATALOGUE.find(f"{KLING}/o3/4k/video-to-video/edit")
    with pytest.raises(UnknownSchema, match="fal has published no schema yet"):
        model.check({"prompt": "a cat"})


def test_search_requires_every_word() -> None:
    """Words match the id or the request type in any case; an empty search matches all."""
    ids = [model.endpoint for model in CATALOGUE.search("1.6 PRO effects")]
    assert [f"{KLING}/v1.6/pro/effects"] == ids
    assert len(CATALOGUE.search()) == len(CATALOGUE.search("kling"))
    assert () == CATALOGUE.search("no such thing")
