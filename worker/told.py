"""Sentences as a record and its events hold them: short, and of characters that UTF-8 has."""

from worker.text import visible

# More lines than a refusal of inputs has, which tells of 40 problems and the number of others.
LINES, LONGEST_LINE = 50, 400
LONGEST_ENDPOINT = 200


def in_short(sentence: str) -> str:
    """The first LINES lines and the number of the others, each of LONGEST_LINE characters at most.

    Afterwards Redis, JSON and terminals can take it: see `visible`.
    """
    lines = sentence.split("\n")
    told = [cut(line, LONGEST_LINE) for line in lines[:LINES]]
    beyond = len(lines) - LINES
    return "\n".join([*told, f"  and {beyond:,} more"] if beyond > 0 else told)


def cut(text: str, longest: int) -> str:
    """The text as it can be shown, at most the first `longest` characters and an ellipsis."""
    told = visible(text)
    return told[:longest] + "…" * (len(told) > longest)
