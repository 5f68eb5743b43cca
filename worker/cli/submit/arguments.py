"""The inputs of one job, from all the places where a command line gives them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from worker.catalogue.endpoint import Endpoint
from worker.cli.errors import CliError
from worker.cli.submit.flag_values import json_object, media, pair
from worker.text import printable

FAMILIES = ("image", "video", "audio")
# An input's name, where it is given, and the value that it means.
_Given = tuple[str, str, object]


def arguments_of(model: Endpoint, flags: Mapping[str, Any]) -> dict[str, object]:
    """Every input that the flags of `falhook submit` give, as the value that it means.

    `--arguments` is a template, of which the others replace single inputs. Raises Problem where
    two of the others give the same, since one of them would be lost.
    """
    found = list(_single(model, flags))
    _refuse_twice(found)
    template = json_object(flags["arguments"], "--arguments")
    return template | {name: value for name, _, value in found}


def _single(model: Endpoint, flags: Mapping[str, Any]) -> Iterator[_Given]:
    for family in FAMILIES:
        filled = media(model, family, flags[family], unchecked=flags["unchecked"])
        yield from ((name, f"--{family}", value) for name, value in filled.items())
    for name, text in map(pair, flags["inputs"]):
        yield name, f"{printable(name)}=…", model.typed(name, text)
    if flags["prompt"] is not None:
        yield "prompt", "--prompt", flags["prompt"]


def _refuse_twice(found: Sequence[_Given]) -> None:
    places: dict[str, list[str]] = {}
    for name, place, _ in found:
        places.setdefault(name, []).append(place)
    twice = {name: by for name, by in places.items() if len(by) > 1}
    if twice:
        told = [
            f"{printable(name)} is given twice, by {' and '.join(by)}" for name, by in twice.items()
        ]
        raise CliError(f"{'; '.join(told)}; leave one out.")
