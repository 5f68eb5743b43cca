"""The table of mishaps that a request can ask for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from infra.local.fal.errors import MODEL, PLATFORM
from infra.local.fal.media.hostile_files import KINDS


class Argument(StrEnum):
    """The kind of argument after the `=` of a mishap."""

    NONE = "none"
    COUNT = "count"
    TIMES = "times"
    SECONDS = "seconds"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """A failure to simulate: a sentence for the help text, and its argument."""

    sentence: str
    argument: Argument = Argument.NONE
    default: str = ""
    choices: tuple[str, ...] = ()


def _plain(sentence: str) -> Mishap:
    return Mishap(sentence=sentence)


def _with(argument: Argument, default: str, sentence: str) -> Mishap:
    return Mishap(sentence=sentence, argument=argument, default=default)


def _one_of(choices: Iterable[str], default: str, sentence: str) -> Mishap:
    return Mishap(
        sentence=sentence, argument=Argument.TEXT, default=default, choices=tuple(choices)
    )


MISHAPS: Mapping[str, Mishap] = {
    # The submit.
    "answer-lost": _plain("The job is accepted, then the connection closes without a response."),
    "answer-slow": _with(
        Argument.SECONDS, "600", "The job is accepted; the response comes SECONDS (real) later."
    ),
    "connection-cut": _plain("The connection is reset; no job is accepted."),
    "status-403": _plain("The submit is answered 403: the account is locked."),
    "status-408": _plain("The submit is answered 408; no job is accepted."),
    "status-409": _plain("The submit is answered 409; no job is accepted."),
    "status-422": _plain("The submit is answered 422; no job is accepted."),
    "status-429": _with(
        Argument.SECONDS, "", "The submit is answered 429, with Retry-After if SECONDS is set."
    ),
    "status-500": _plain("The submit is answered 500 by fal; no job is accepted."),
    "status-502-nginx": _plain("The submit is answered 502 by the ingress, not by fal itself."),
    "status-503": _plain("The submit is answered 503 by fal; no job is accepted."),
    "accepted": _plain("With connection-cut or status-*: the job is accepted anyway."),
    "times": _with(
        Argument.COUNT,
        "1",
        "With status-*, connection-cut, answer-*, cdn-* or a badly signed callback: only the first"
        " N times.",
    ),
    # The render.
    "render": _with(Argument.SECONDS, "60", "The render takes SECONDS instead of the default."),
    "callback-hold": _plain(
        "The render does not end until the request is released (POST /_sim/release)."
    ),
    "error-422": _one_of(
        MODEL, "image_load_error", "The render fails with the model error TEXT, echoing the input."
    ),
    "error-platform": _one_of(
        PLATFORM, "runner_disconnected", "The render fails with the platform error TEXT."
    ),
    "error-policy": _plain("The render fails: content_policy_violation, echoing the prompt."),
    "result-large": _plain("The result has more than 10 KB, so that fal drops it after 6 minutes."),
    "result-404": _plain("The stored result is missing: fal answers 404."),
    "cancel": _one_of(
        ("ignored", "error", "silent"),
        "ignored",
        "Cancelling a running job has no effect (ignored), or ends it with an ERROR callback"
        " (error) or without a callback (silent).",
    ),
    # The callback.
    "callback-twice": _plain("The callback is delivered, then delivered again."),
    "callback-many": _with(Argument.COUNT, "50", "The callback is delivered N times concurrently."),
    "callback-before-answer": _plain(
        "The callback is answered before the submit is; the render takes no time."
    ),
    "callback-late": _with(Argument.SECONDS, "600", "The callback comes SECONDS after the render."),
    "callback-never": _plain("The callback does not come unless the request is released."),
    "out-of-order": _plain(
        "The callback waits until that of the next submitted job has been answered."
    ),
    "callback-stale": _plain(
        "An ERROR for an older request is delivered to the same address before the callback."
    ),
    "conflicting": _plain("A second callback for the same request contradicts the first."),
    "payload-null": _plain("The callback has status OK, payload null and a payload_error."),
    "wrong-key": _plain("The callback is signed with a key that fal never published."),
    "stale-timestamp": _with(
        Argument.SECONDS, "600", "The callback's signed timestamp is SECONDS in the past."
    ),
    "foreign-account": _plain("The callback is signed by fal for another account."),
    "bad-request-id": _plain(
        "The request id in the signed header differs from the one in the body."
    ),
    # The file.
    "cdn-cut": _with(
        Argument.TIMES, "", "The connection is cut halfway through the file, the first N times."
    ),
    "cdn-403": _plain("The file is answered 403."),
    "cdn-404": _plain("The file is answered 404."),
    "cdn-500": _with(Argument.TIMES, "", "The file is answered 500, the first N times."),
    "cdn-slow": _with(Argument.SECONDS, "60", "The file is sent slowly over SECONDS (real)."),
    "cdn-no-length": _plain("The file is sent chunked, without a Content-Length."),
    "cdn-redirect": _with(
        Argument.TEXT,
        "",
        "The file's address redirects to TEXT, or to another address of the simulation.",
    ),
    "cdn-html": _plain("The file's address returns 200 with an HTML page."),
    "file-truncated": _plain("The file is the first half of a clip."),
    "file-hostile": _one_of(
        KINDS, "playlist", f"The file is not a clip but TEXT, one of: {', '.join(KINDS)}."
    ),
    "file-foreign-host": _with(
        Argument.TEXT,
        "files.example.net",
        "The result names a file on the host TEXT instead of fal's.",
    ),
}


def help_text() -> str:
    """Return the table of mishaps as plain text, one per line."""
    width = max(len(_usage(name)) for name in MISHAPS)
    return "\n".join(f"  {_usage(name):{width}}  {MISHAPS[name].sentence}" for name in MISHAPS)


def _usage(name: str) -> str:
    mishap = MISHAPS[name]
    if mishap.argument is Argument.NONE:
        return name
    label = "N" if mishap.argument in {Argument.COUNT, Argument.TIMES} else mishap.argument.upper()
    return f"{name}[={mishap.default or label}]"
