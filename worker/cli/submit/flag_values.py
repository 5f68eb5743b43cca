"""Values of flags: NAME=VALUE pairs, media files, JSON objects."""

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
    """Return name and value of NAME=VALUE. Raises CliError for another form."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise CliError(f"{shown(text)} must have the form NAME=VALUE.")
    _require_utf8(name, f"The name {shown(name)}")
    return name, value


def _require_utf8(text: str, label: str) -> None:
    # PEP 383: bytes of a command line that are not UTF-8 become lone surrogates.
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise CliError(f"{label} must be UTF-8.")


def pairs(texts: Sequence[str], flag: str) -> dict[str, str]:
    """Return every NAME=VALUE of a flag. Raises CliError for a name that is set twice."""
    settings = [pair(text) for text in texts]
    for name, value in settings:
        _require_utf8(value, f"{flag} {printable(name)}")
    counts = Counter(name for name, _ in settings)
    duplicates = [f"{flag} {printable(name)}" for name, count in counts.items() if count > 1]
    if duplicates:
        verb = "is" if len(duplicates) == 1 else "are"
        raise CliError(f"{', '.join(duplicates)} {verb} set twice; remove one.")
    return dict(settings)


def media(
    model: Endpoint, family: str, values: Sequence[str], *, unchecked: bool = False
) -> dict[str, object]:
    """Return the input that --image, --video or --audio sets, empty if the flag is not passed."""
    if not values:
        return {}
    name, many = _input_of(model, family)
    if not many and len(values) > 1:
        raise CliError(f"--{family} is passed {len(values)} times; {model.endpoint} takes one.")
    # Without validation, only the file: prefix distinguishes a path from text.
    files = [_file_url(value) for value in values] if unchecked else list(values)
    return {name: files if many else files[0]}


def _file_url(value: str) -> str:
    if value[:5].lower() in {"data:", "file:"} or "://" in value:
        return value
    return f"file:{quote(value)}"


def _input_of(model: Endpoint, family: str) -> tuple[str, bool]:
    if not model.inputs:
        return f"{family}_url", False
    inputs = inputs_for(model, family)
    if not inputs:
        raise CliError(
            f"--{family}: {model.endpoint} takes no {family}; `falhook models show "
            f"{model.endpoint}` lists its inputs."
        )
    if len(inputs) > 1:
        names = " or ".join(f"{item.name}=…" for item in inputs)
        raise CliError(
            f"--{family}: {model.endpoint} takes more than one {family}; use {names} instead."
        )
    return inputs[0].name, inputs[0].many


def inputs_for(model: Endpoint, family: str) -> Sequence[Input]:
    """Return the input that a flag of this media family sets, however many files it names.

    Required inputs come first, then lists, then the plain name. Several are returned if that is
    ambiguous, none if the endpoint takes no such file.
    """
    inputs = [
        item for item in model.inputs if item.kind is InputType.URL and family in item.families
    ]
    plain = {f"{family}_url", f"{family}_urls"}
    for choice in (
        [item for item in inputs if item.required],
        [item for item in inputs if item.many],
        [item for item in inputs if item.name in plain],
    ):
        inputs = [item for item in inputs if item in choice] or inputs
    return inputs


def json_object(text: str | None, flag: str) -> dict[str, object]:
    """Return the JSON object of a flag: the text itself, @FILE, or - for stdin; None is empty."""
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
    """Return the text of the file. Raises CliError if it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(
            f"{flag}: {printable(str(path))} cannot be read: {printable(str(error))}."
        ) from None
