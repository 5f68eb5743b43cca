"""Blank strings are accepted for optional text only."""

import pytest

from tests.factories.catalogue import kling
from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import InvalidArguments
from worker.catalogue.inputs import Input, InputType

IMAGE = "https://example.com/cat.png"


def test_an_empty_voice_id_is_rejected() -> None:
    """It is rejected at its path, before it is priced as a voice."""
    model = kling("v2.6/pro/image-to-video")
    with pytest.raises(InvalidArguments) as caught:
        model.check({"prompt": "a", "start_image_url": IMAGE, "voice_ids": ["v", ""]})
    (problem,) = caught.value.problems
    assert ("voice_ids[1]", "must not be empty") == (problem.path, problem.message)


@pytest.mark.parametrize("kind", [InputType.STRING, InputType.TEXT])
@pytest.mark.parametrize(
    ("name", "many", "required", "fits"),
    [
        ("style", False, False, True),
        ("style", False, True, False),
        ("styles", True, False, False),
        ("voice_id", False, False, False),
        ("id", False, False, False),
        ("voice_ids", True, False, False),
        ("grid", False, False, True),
        ("humid", False, False, True),
    ],
)
def test_only_optional_text_may_be_empty(
    kind: InputType, name: str, many: bool, required: bool, fits: bool
) -> None:
    """Required strings, list items and ids must not be; the table of inputs says the same."""
    item = Input(name=name, kind=kind, many=many, required=required, max_length=9)
    model = Endpoint(endpoint="a/b", inputs=(item,))
    assert fits == ("of at most 9" in item.allowed)
    for empty in ("", " \n"):
        given = {name: [empty] if many else empty}
        if fits:
            assert given == model.check(given)
        else:
            with pytest.raises(InvalidArguments, match="must not be empty"):
                model.check(given)
