"""What the command line tells of one endpoint."""

import json
import shlex
from collections.abc import Iterator

from worker.catalogue.endpoint import Endpoint
from worker.catalogue.inputs import MAX_MEGABYTES, InputType
from worker.cli.submit.flag_values import fitting

_TEXTUAL = frozenset({InputType.TEXT, InputType.STRING, InputType.URL, InputType.SECONDS})


def summary(model: Endpoint) -> dict[str, object]:
    """The endpoint in short, as JSON has it."""
    return {
        "endpoint": model.endpoint,
        "status": model.status,
        "required": [item.name for item in model.inputs if item.required],
        "optional": [item.name for item in model.inputs if not item.required],
        "rules": [rule.sentence for rule in model.rules],
        "additional": model.additional,
        "unchecked": list(model.unchecked),
        "outputs": dict(model.outputs),
        "price": model.price_sentence,
    }


def facts(model: Endpoint) -> dict[str, str]:
    """What it gives, costs, is, and takes beyond each input on its own, for a person."""
    price = model.price
    about = f" (confidence {price.confidence}, from {price.source})" if price else ""
    gives = ", ".join(f"{name} ({kind})" for name, kind in model.outputs.items())
    told = {"gives": gives, "costs": f"{model.price_sentence}{about}", "status": model.status}
    rules = [rule.sentence for rule in model.rules]
    rules += ["inputs of any other name"] if model.additional else []
    rules += [f"not checked: {', '.join(model.unchecked)}"] if model.unchecked else []
    flags = ", ".join(_flags(model))
    told |= {"takes": "; ".join(rules)} if rules else {}
    return told | ({"flags": flags} if flags else {})


def _flags(model: Endpoint) -> Iterator[str]:
    for family in MAX_MEGABYTES:
        if len(found := fitting(model, family)) == 1:
            yield f"--{family} fills {found[0].name}"


def command(model: Endpoint) -> str:
    """A command line that makes a job of the model's example."""
    kinds = {item.name: item.kind for item in model.inputs if not item.many}
    words = ["falhook", "submit", model.endpoint]
    for name, value in model.example().items():
        plain = isinstance(value, str) and kinds.get(name) in _TEXTUAL
        words.append(f"{name}={value if plain else json.dumps(value, ensure_ascii=False)}")
    return shlex.join(words)
