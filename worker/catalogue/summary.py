"""The main facts of an endpoint, as `falhook models --json` and the API tell them."""

from datetime import date

from worker.catalogue.endpoint import Endpoint


def summary(model: Endpoint) -> dict[str, object]:
    """Return the endpoint's main facts, ready for JSON."""
    return {
        "endpoint": model.endpoint,
        "status": model.current_status,
        "required": [item.name for item in model.inputs if item.required],
        "optional": [item.name for item in model.inputs if not item.required],
        "rules": [rule.sentence for rule in model.rules],
        "additional": model.additional,
        "unchecked": list(model.unchecked),
        "outputs": dict(model.outputs),
        "price": model.price_sentence,
        "typical_seconds": model.typical_seconds,
        "deprecated_at": _day(model.deprecated_at),
        "withdrawn_at": _day(model.withdrawn_at),
        "replaced_by": model.replaced_by,
        "note": model.note,
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
