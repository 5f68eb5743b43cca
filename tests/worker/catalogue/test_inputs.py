"""Which files an input takes follows from its name and formats, wherever they lie."""

import pytest

from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import InvalidArguments
from worker.catalogue.inputs import Input, InputType


@pytest.mark.parametrize(
    ("name", "families"),
    [
        ("mask_url", {"image"}),
        ("mask_image_url", {"image"}),
        ("mask_video_url", {"video"}),
        ("video_mask_url", {"video"}),
        ("mask_audio", {"audio"}),
        ("image_url", {"image"}),
        ("first_frame_url", {"image", "video", "audio"}),
    ],
)
def test_families_by_name(name: str, families: set[str]) -> None:
    """A mask is a picture, unless its name says of what else it is one."""
    assert families == Input(name=name, kind=InputType.URL).families


@pytest.mark.parametrize(
    ("name", "endings", "ending", "message"),
    [
        ("image_url", (), "png", ""),
        ("image_url", ("jpg", "png"), "png", ""),
        ("image_url", (), "none", ""),
        ("file_url", (), "mp4", ""),
        ("image_url", (), "mp4", "jpg, png, gif, webp, avif"),
        ("image_url", ("jpg", "png"), "gif", "jpg, png"),
        ("file_url", (), "xyz", "jpg, png, gif, webp, wav, "),
    ],
)
def test_a_file_in_storage_is_of_a_kind_that_the_input_takes(
    name: str, endings: tuple[str, ...], ending: str, message: str
) -> None:
    """Its ending follows from its content; one that could not be read was told of before."""
    model = Endpoint(
        endpoint="a/b", inputs=(Input(name=name, kind=InputType.URL, formats=endings),)
    )
    given = {name: f"upload://{'0' * 64}.{ending}"}
    if not message:
        assert given == model.check(given)
        return
    with pytest.raises(InvalidArguments) as caught:
        model.check(given)
    assert f"must be a file in storage of the kind {message}" in caught.value.problems[0].message


def test_of_a_file_that_nobody_read_nothing_is_known() -> None:
    """A hash that somebody made up has no kind."""
    model = Endpoint(endpoint="a/b", inputs=(Input(name="image_url", kind=InputType.URL),))
    with pytest.raises(InvalidArguments, match="must be a file in storage of the kind jpg"):
        model.check({"image_url": f"upload://{'1' * 64}.none"})
