"""Phrases for what an input allows; each completes "must be …"."""

import json

_SHOWN_CHOICES = 16


def one_of(choices: tuple[str | float, ...]) -> str:
    """Return `one of "5", "10"`; a long list is cut and names the command that lists the rest."""
    quoted = [json.dumps(choice, ensure_ascii=False) for choice in choices[:_SHOWN_CHOICES]]
    rest = len(choices) - len(quoted)
    more = f" and {rest:,} more, which `falhook models show … --json` lists" if rest > 0 else ""
    return "one of " + ", ".join(quoted) + more


def span(least: float | None, most: float | None, unit: str = "") -> str:
    """Return ` of 1 to 20 characters`; "" without bounds."""
    if most is None:
        return "" if least is None else f" of at least {_counted(least, unit)}"
    if least is None:
        return f" of at most {_counted(most, unit)}"
    return f" of {least:,} to {_counted(most, unit)}"


def limits(
    least: float | None, above: float | None, most: float | None, below: float | None
) -> str:
    """Return ` of 0 to 1`, or ` above 0 and at most 1` for an open end; "" without bounds."""
    if above is None and below is None:
        return span(least, most)
    ends = {"at least": least, "above": above, "at most": most, "below": below}
    bounds = [f"{word} {end:,}" for word, end in ends.items() if end is not None]
    return f" {' and '.join(bounds)}"


def _counted(number: float, unit: str) -> str:
    return f"{number:,}{unit}{'s' if unit and number != 1 else ''}"
