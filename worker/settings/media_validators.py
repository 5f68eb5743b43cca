"""Validators of the settings of published files; as in validators.py.

Each imports the class that reads its value when there is a value to read: a command that lists the
settings, or reads others, starts without them.
"""

from collections.abc import Callable


def profile(value: str) -> str:
    """Return `value` if it names a delivery profile."""
    from worker.transcode.profiles import Profile  # noqa: PLC0415

    return _read_by(Profile.parse, value)


def poster_at(value: str) -> str:
    """Return `value` if it is the moment of a poster."""
    from worker.transcode.poster import PosterTime  # noqa: PLC0415

    return _read_by(PosterTime.parse, value)


def loudness(value: str) -> str:
    """Return `value` if it is a loudness."""
    from worker.transcode.loudness_target import LoudnessTarget  # noqa: PLC0415

    return _read_by(LoudnessTarget.parse, value)


def marks(value: str, provider: str) -> str:
    """Return `value` if it lists marks that this provider can make."""
    from worker.formats.marks import Marks  # noqa: PLC0415

    Marks.parse(value, provider)
    return value


def _read_by(parse: Callable[[str], object], value: str) -> str:
    try:
        parse(value)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(f"{value!r} ")) from None
    return value
