"""The input sync_mode, which makes fal put whole media files into its callback.

https://fal.ai/docs : with `sync_mode` the media is returned inline and is not kept in fal's request
history. A callback of megabytes is refused by the receiver, and fal keeps no copy of what it
contained: the job would be paid for and lost.
"""

from collections.abc import Iterator, Mapping

from worker.catalogue.errors import InputProblem, shown
from worker.catalogue.validation.paths import path

NAME = "sync_mode"
_MESSAGE = "must be false: fal would put the media itself into its callback, and keep no copy"
_HINT = f"leave {NAME} out; the result is downloaded from fal's CDN and published"
_OFF = (None, False, 0, "", "0", "false", "no", "off")


def sync_mode_problems(arguments: Mapping[str, object]) -> list[InputProblem]:
    """Return a problem for each sync_mode that is not off, at any depth."""
    return [
        InputProblem(path=path(place), value=shown(value), message=_MESSAGE, hint=_HINT)
        for place, value in _found(arguments)
        if (value.strip().lower() if isinstance(value, str) else value) not in _OFF
    ]


def _found(arguments: Mapping[str, object]) -> Iterator[tuple[tuple[str | int, ...], object]]:
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), arguments)]
    while waiting:
        place, value = waiting.pop()
        if place and place[-1] == NAME:
            yield place, value
        elif isinstance(value, Mapping):
            waiting += [((*place, str(name)), member) for name, member in value.items()]
        elif isinstance(value, list):
            waiting += [((*place, index), member) for index, member in enumerate(value)]
