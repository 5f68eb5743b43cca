"""A plain page about every code that a problem may have."""

import re
from collections.abc import Iterator
from functools import cache
from html import escape

from api.docs.runbook import reasons
from api.problems import KINDS, Kind, Retry

_CODE = re.compile(r"`([^`]+)`")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Problems of the falhook API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/pages.css">
</head>
<body>
<nav><a href="/docs">API</a></nav>
<main class="plain">
<h1>Problems</h1>
<p>Every error is <code>application/problem+json</code>. Its <code>retry</code> says what a client
does next: <code>same_key</code> repeats the request with the same Idempotency-Key, since it may
have been carried out; <code>new_key</code> uses another key; <code>after</code> repeats it after
<code>retry_after</code> seconds, since nothing was done; <code>never</code> corrects it first.</p>
{kinds}
<h1>Reason codes</h1>
<p>A problem may have one of these codes instead, and a job that failed has one. They are those of
the runbook, <code>infra/README.md</code>.</p>
{reasons}
</main>
</body>
</html>
"""


@cache
def problem_page() -> str:
    """Return the page, with an anchor for each code."""
    return _PAGE.format(kinds="\n".join(_kinds()), reasons="\n".join(_reasons()))


def _kinds() -> Iterator[str]:
    for code, kind in KINDS.items():
        yield _section(code, f"{kind.status}: {kind.title}. {kind.cure} {_next(kind)}")


def _next(kind: Kind) -> str:
    return "" if kind.retry is Retry.NEVER else f"Retry: `{kind.retry}`."


def _reasons() -> Iterator[str]:
    for reason in reasons():
        if reason.code not in KINDS:
            yield _section(reason.code, f"{reason.meaning}. Cure: {reason.cure}.")


def _section(code: str, text: str) -> str:
    shown = _CODE.sub(r"<code>\1</code>", escape(text))
    name = escape(code)
    return f'<section id="{name}"><h3><code>{name}</code></h3><p>{shown}</p></section>'
