"""The files that an input accepts follow from its name and formats."""

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
    """A mask is an image, unless its name says otherwise."""
    assert families == Input(name=name, kind=InputType.URL).families


@pytest.mark.parametrize(
    ("name", "formats", "extension", "message"),
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
def test_a_stored_file_has_a_type_that_the_input_accepts(
    name: str, formats: tuple[str, ...], extension: str, message: str
) -> None:
    """Its extension follows from its content; an unreadable file was reported before."""
    model = Endpoint(
        endpoint="a/b", inputs=(Input(name=name, kind=InputType.URL, formats=formats),)
    )
    given = {name: f"upload://{'0' * 64}.{extension}"}
    if not message:
        assert given == model.check(given)
        return
    with pytest.raises(InvalidArguments) as caught:
        model.check(given)
    assert f"must be a stored file of type {message}" in caught.value.problems[0].message


def test_a_made_up_file_has_no_type() -> None:
    """A hash without a stored file is rejected."""
    model = Endpoint(endpoint="a/b", inputs=(Input(name="image_url", kind=InputType.URL),))
    with pytest.raises(InvalidArguments, match="must be a stored file of type jpg"):
        model.check({"image_url": f"upload://{'1' * 64}.none"})
