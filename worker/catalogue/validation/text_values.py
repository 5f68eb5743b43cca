"""What a person typed for an input, or a spreadsheet wrote into a cell, as the value it means."""

import re

from worker.catalogue.errors import InputProblem, RequestRejected
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.validation.paths import path
from worker.text import InvalidJson, UnusableJson, parse_json

_WORDS = re.compile(r"(.*_)?(prompt|text|script|lyrics|caption)")
# What fal's endpoints call words and nothing else: JSON in them is a way to write a prompt.
_PROMPTS = frozenset({"prompt", "negative_prompt", "system_prompt"})
_WHOLE = re.compile(r"([0-9]+)\.0+")
_BOOLEANS = {"true": True, "false": False}


def is_words(name: str) -> bool:
    """Whether a text under this name, which no schema describes, holds words."""
    return _WORDS.fullmatch(name) is not None


def typed(item: Input | None, name: str, text: str) -> object:
    """The value that `text` means for this input; None stands for one that no schema describes.

    Words stay words, a single value for a list becomes a list of one, and what nothing else says
    is read as JSON where it is such. Raises a Refusal for JSON of which something would be lost.
    """
    try:
        return _read(item, name, text)
    except UnusableJson as unusable:
        problem = InputProblem(path=path((name,)), value="", message=f"is {unusable}")
        refusal = RequestRejected("bad_json", str(problem))
        refusal.problems = (problem,)
        raise refusal from None


def _read(item: Input | None, name: str, text: str) -> object:
    if item is None:
        return _worded(name, text) if is_words(name) else json_or_text(text)
    if not item.many:
        return _single(item, text)
    listed = json_or_text(text)
    return listed if isinstance(listed, list) or listed is None else [_single(item, text)]


def _worded(name: str, text: str) -> object:
    """A list or an object where the text is one, such as the shots of a multi_prompt."""
    found = None if name in _PROMPTS else json_or_text(text)
    return found if isinstance(found, list | dict) else text


def _single(item: Input, text: str) -> object:
    match item.kind:
        case InputType.SECONDS:
            return _WHOLE.sub(r"\1", text.strip())
        case InputType.STRING if item.choices:
            return text.strip()
        case InputType.TEXT | InputType.STRING | InputType.URL:
            return text
        case InputType.BOOLEAN:
            return boolean(text)
    return json_or_text(text)


def boolean(text: str) -> object:
    """True or False of what people and spreadsheets write, else the text."""
    return _BOOLEANS.get(text.strip().casefold(), text)


def json_or_text(text: str) -> object:
    """The value of JSON, else the text. Raises UnusableJson."""
    try:
        return parse_json(text)
    except UnusableJson:
        raise
    except InvalidJson:
        return text
