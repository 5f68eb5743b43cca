"""The inputs of one job, from all flags and pairs of a command line."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from worker.catalogue.endpoint import Endpoint
from worker.cli.errors import CliError
from worker.cli.submit.flag_values import json_object, media, pair
from worker.text import printable

FAMILIES = ("image", "video", "audio")
# An input's name, the flag that sets it, and its value.
_Setting = tuple[str, str, object]


def arguments_of(model: Endpoint, flags: Mapping[str, Any]) -> dict[str, object]:
    """Return the typed value of every input that the flags of `falhook submit` set.

    `--arguments` is a template, in which the others replace single inputs. Raises CliError if two
    of the others set the same input, since one value would be lost.
    """
    settings = list(_single_inputs(model, flags))
    _reject_duplicates(settings)
    template = json_object(flags["arguments"], "--arguments")
    return template | {name: value for name, _, value in settings}


def _single_inputs(model: Endpoint, flags: Mapping[str, Any]) -> Iterator[_Setting]:
    for family in FAMILIES:
        inputs = media(model, family, flags[family], unchecked=flags["unchecked"])
        yield from ((name, f"--{family}", value) for name, value in inputs.items())
    for name, text in map(pair, flags["inputs"]):
        yield name, f"{printable(name)}=…", model.typed(name, text)
    if flags["prompt"] is not None:
        yield "prompt", "--prompt", flags["prompt"]


def _reject_duplicates(settings: Sequence[_Setting]) -> None:
    flags: dict[str, list[str]] = {}
    for name, flag, _ in settings:
        flags.setdefault(name, []).append(flag)
    duplicates = [
        f"{printable(name)} is set twice, by {' and '.join(setters)}"
        for name, setters in flags.items()
        if len(setters) > 1
    ]
    if duplicates:
        raise CliError(f"{'; '.join(duplicates)}; remove one.")
