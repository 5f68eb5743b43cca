"""One endpoint as JSON, as text, and as a command line."""

import json
import shlex
from collections.abc import Iterator

from worker.catalogue.endpoint import Endpoint
from worker.catalogue.inputs import MAX_MEGABYTES, InputType
from worker.cli.submit.flag_values import inputs_for

_TEXTUAL = frozenset({InputType.TEXT, InputType.STRING, InputType.URL, InputType.SECONDS})


def _status(model: Endpoint) -> str:
    """Return the status with its dates and the successor: `deprecated since 2026-11-01; use …`."""
    days = {"deprecated since": model.deprecated_at, "withdrawn by": model.withdrawn_at}
    dated = [f"{words} {day}" for words, day in days.items() if day]
    successor = [f"use {model.replaced_by}"] if model.replaced_by else []
    return "; ".join([model.current_status, *dated, *successor])


def facts(model: Endpoint) -> dict[str, str]:
    """Return the endpoint's outputs, price, status and rules by their label, for a person."""
    price = model.price
    source = f" (confidence {price.confidence}, from {price.source})" if price else ""
    outputs = ", ".join(f"{name} ({kind})" for name, kind in model.outputs.items())
    lines = {"gives": outputs, "costs": f"{model.price_sentence}{source}", "status": _status(model)}
    lines |= (
        {"time": f"about {model.typical_seconds} s of rendering"} if model.typical_seconds else {}
    )
    rules = [rule.sentence for rule in model.rules]
    rules += ["any other input"] if model.additional else []
    rules += [f"not validated: {', '.join(model.unchecked)}"] if model.unchecked else []
    flags = ", ".join(_flags(model))
    lines |= {"takes": "; ".join(rules)} if rules else {}
    lines |= {"note": model.note} if model.note else {}
    return lines | ({"flags": flags} if flags else {})


def _flags(model: Endpoint) -> Iterator[str]:
    for family in MAX_MEGABYTES:
        if len(inputs := inputs_for(model, family)) == 1:
            yield f"--{family} fills {inputs[0].name}"


def command(model: Endpoint) -> str:
    """Return a command line that submits the endpoint's example."""
    kinds = {item.name: item.kind for item in model.inputs if not item.many}
    words = ["falhook", "submit", model.endpoint]
    for name, value in model.example().items():
        plain = isinstance(value, str) and kinds.get(name) in _TEXTUAL
        words.append(f"{name}={value if plain else json.dumps(value, ensure_ascii=False)}")
    return shlex.join(words)
