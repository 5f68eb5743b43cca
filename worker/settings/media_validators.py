"""Validators of the settings of published files; as in validators.py."""

from worker.transcode.loudness_target import LoudnessTarget
from worker.transcode.poster import PosterTime
from worker.transcode.profiles import Profile


def profile(value: str) -> str:
    """Return `value` if it is the name of a delivery profile."""
    try:
        Profile.parse(value)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(f"{value!r} ")) from None
    return value


def poster_at(value: str) -> str:
    """Return `value` if it is the moment of a poster."""
    try:
        PosterTime.parse(value)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(f"{value!r} ")) from None
    return value


def loudness(value: str) -> str:
    """Return `value` if it is a loudness that sound can be normalised to, or off."""
    try:
        LoudnessTarget.parse(value)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(f"{value!r} ")) from None
    return value
