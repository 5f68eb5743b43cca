"""Validators of the settings of published files; as in validators.py."""

from collections.abc import Callable

from worker.transcode.loudness_target import LoudnessTarget
from worker.transcode.poster import PosterTime
from worker.transcode.profiles import Profile


def _read_by(parse: Callable[[str], object]) -> Callable[[str], str]:
    def validated(value: str) -> str:
        try:
            parse(value)
        except ValueError as error:
            raise ValueError(str(error).removeprefix(f"{value!r} ")) from None
        return value

    return validated


# Each returns a value that the class can read.
profile = _read_by(Profile.parse)
poster_at = _read_by(PosterTime.parse)
loudness = _read_by(LoudnessTarget.parse)
