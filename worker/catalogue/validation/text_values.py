"""Converts text from a command line or a spreadsheet's cell into the value of an input."""

import re

from worker.catalogue.errors import InputProblem, RequestRejected
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.validation.paths import path
from worker.text import InvalidJson, UnusableJson, parse_json

_WORDS = re.compile(r"(.*_)?(prompt|text|script|lyrics|caption)")
# Always prose in fal's endpoints; JSON in them is a style of prompting, so it stays text.
_PROMPTS = frozenset({"prompt", "negative_prompt", "system_prompt"})
_WHOLE_NUMBER = re.compile(r"([0-9]+)\.0+")
_BOOLEANS = {"true": True, "false": False}


def is_words(name: str) -> bool:
    """Return whether an input without a schema holds prose, judged by its name."""
    return _WORDS.fullmatch(name) is not None


def typed(item: Input | None, name: str, text: str) -> object:
    """Return the value that `text` means for this input; `item` is None without a schema.

    Prose stays text, a single value for a list becomes a list of one, and other inputs are read
    as JSON if possible. Raises RequestRejected for JSON that cannot be read without loss.
    """
    try:
        return _read(item, name, text)
    except UnusableJson as unusable:
        problem = InputProblem(path=path((name,)), value="", message=f"is {unusable}")
        rejection = RequestRejected("bad_json", str(problem))
        rejection.problems = (problem,)
        raise rejection from None


def _read(item: Input | None, name: str, text: str) -> object:
    if item is None:
        return _prose(name, text) if is_words(name) else json_or_text(text)
    if not item.many:
        return _single(item, text)
    value = json_or_text(text)
    return value if isinstance(value, list) or value is None else [_single(item, text)]


def _prose(name: str, text: str) -> object:
    """Return a JSON list or object, such as the shots of a multi_prompt; else the text."""
    value = None if name in _PROMPTS else json_or_text(text)
    return value if isinstance(value, list | dict) else text


def _single(item: Input, text: str) -> object:
    match item.kind:
        case InputType.SECONDS:
            return _WHOLE_NUMBER.sub(r"\1", text.strip())
        case InputType.STRING if item.choices:
            return text.strip()
        case InputType.TEXT | InputType.STRING | InputType.URL:
            return text
        case InputType.BOOLEAN:
            return boolean(text)
    return json_or_text(text)


def boolean(text: str) -> object:
    """Return True or False for true and false in any case, else the text."""
    return _BOOLEANS.get(text.strip().casefold(), text)


def json_or_text(text: str) -> object:
    """Return the parsed JSON, or the text if it is not JSON. Raises UnusableJson."""
    try:
        return parse_json(text)
    except UnusableJson:
        raise
    except InvalidJson:
        return text
