"""The inputs of a job as a command line gives them."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import shown
from worker.catalogue.inputs import Input, InputType
from worker.cli.errors import CliError
from worker.text import InvalidJson, parse_json, printable


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE taken apart."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise CliError(f"{shown(text)} must have the form NAME=VALUE.")
    _require_utf8(name, f"The name {shown(name)}")
    return name, value


def _require_utf8(text: str, what: str) -> None:
    # PEP 383: bytes of a command line that are none become lone surrogates.
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise CliError(f"{what} must be UTF-8.")


def pairs(texts: Sequence[str], flag: str) -> dict[str, str]:
    """Every NAME=VALUE of a flag; a Problem where a name comes twice, since one would be lost."""
    found = [pair(text) for text in texts]
    for name, value in found:
        _require_utf8(value, f"{flag} {printable(name)}")
    twice = [name for name, count in Counter(name for name, _ in found).items() if count > 1]
    if twice:
        told = ", ".join(f"{flag} {printable(name)}" for name in twice)
        raise CliError(f"{told} {'is' if len(twice) == 1 else 'are'} given twice; leave one out.")
    return dict(found)


def media(
    model: Endpoint, family: str, values: Sequence[str], *, unchecked: bool = False
) -> dict[str, object]:
    """The input of --image, --video or --audio under the endpoint's own name; none for no value."""
    if not values:
        return {}
    name, many = _input_of(model, family)
    if not many and len(values) > 1:
        raise CliError(f"{model.endpoint} takes one --{family}, not {len(values)}.")
    # Without a check nothing else would tell a path from text.
    told = [_marked(value) for value in values] if unchecked else list(values)
    return {name: told if many else told[0]}


def _marked(value: str) -> str:
    if value[:5].lower() in {"data:", "file:"} or "://" in value:
        return value
    return f"file:{quote(value)}"


def _input_of(model: Endpoint, family: str) -> tuple[str, bool]:
    if not model.inputs:
        return f"{family}_url", False
    fits = fitting(model, family)
    if not fits:
        raise CliError(
            f"{model.endpoint} takes no {family}; `falhook models show` tells its inputs."
        )
    if len(fits) > 1:
        names = " or ".join(f"{item.name}=…" for item in fits)
        raise CliError(f"{model.endpoint} takes more than one {family}; say which: {names}.")
    return fits[0].name, fits[0].many


def fitting(model: Endpoint, family: str) -> Sequence[Input]:
    """The input that a flag of this family of media fills, however many files it is given.

    What is required goes before what is not, then a list before a single one, then the plain name;
    several where that leaves more than one, none where the endpoint takes no such file.
    """
    fits = [item for item in model.inputs if item.kind is InputType.URL and family in item.families]
    plain = {f"{family}_url", f"{family}_urls"}
    for choice in (
        [item for item in fits if item.required],
        [item for item in fits if item.many],
        [item for item in fits if item.name in plain],
    ):
        fits = [item for item in fits if item in choice] or fits
    return fits


def json_object(text: str | None, flag: str) -> dict[str, object]:
    """The JSON object of a flag: given as it is, as @FILE, or - for stdin; none is empty."""
    if text is None:
        return {}
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        text = file_text(Path(text[1:]), flag)
    try:
        content = parse_json(text)
    except InvalidJson as error:
        raise CliError(f"{flag} is {error}.") from None
    if not isinstance(content, dict):
        raise CliError(f'{flag} must be a JSON object, such as \'{{"name": "value"}}\'.')
    return content


def file_text(path: Path, flag: str) -> str:
    """The whole file; a Problem where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(
            f"{flag}: {printable(str(path))} cannot be read: {printable(str(error))}."
        ) from None
