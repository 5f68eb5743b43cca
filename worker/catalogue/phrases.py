"""What an input allows, in words that complete "must be …" behind its type."""

import json

_SHOWN_CHOICES = 16


def one_of(choices: tuple[str | float, ...]) -> str:
    """`one of "5", "10"`; of a long list its beginning, and where the rest is told."""
    quoted = [json.dumps(choice, ensure_ascii=False) for choice in choices[:_SHOWN_CHOICES]]
    rest = len(choices) - len(quoted)
    more = f" and {rest:,} more, which `falhook models show … --json` tells" if rest > 0 else ""
    return "one of " + ", ".join(quoted) + more


def span(least: float | None, most: float | None, unit: str = "") -> str:
    """` of 1 to 20 characters`; empty without bounds."""
    if most is None:
        return "" if least is None else f" of at least {_counted(least, unit)}"
    if least is None:
        return f" of at most {_counted(most, unit)}"
    return f" of {least:,} to {_counted(most, unit)}"


def reach(least: float | None, above: float | None, most: float | None, below: float | None) -> str:
    """` of 0 to 1`, or where an end is open ` above 0 and at most 1`; empty without bounds."""
    if above is None and below is None:
        return span(least, most)
    ends = {"at least": least, "above": above, "at most": most, "below": below}
    told = [f"{word} {end:,}" for word, end in ends.items() if end is not None]
    return f" {' and '.join(told)}"


def _counted(number: float, unit: str) -> str:
    return f"{number:,}{unit}{'s' if unit and number != 1 else ''}"
