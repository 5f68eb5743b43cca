"""Celery messages: what a sender may write differently, and what is not a message for a task.

https://docs.celeryq.dev/en/stable/internals/protocol.html : version 2 has the task in a header and
a body of three parts, version 1 has both in the body. Celery checks neither, and its worker ends
when it stumbles over one.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage

from celery import Celery
from kombu.message import Message

from webhook.contract import JOB_ID, Task
from worker.broker.envelope import InvalidMessage

_JSON = "application/json"
_PARTS = 3


def readable(message: Message, app: Celery) -> None:
    """Make a message fit for its task: harmless spellings are put in Celery's own.

    Raises InvalidMessage.
    """
    _set_content_type(message)
    payload = _payload(message)
    name: object
    identity: object
    if "task" in message.headers:
        name, identity = message.headers["task"], message.headers.get("id")
        _check_headers({**(payload if isinstance(payload, dict) else {}), **message.headers})
    elif isinstance(payload, dict):
        name, identity = payload.get("task"), payload.get("id")
        _check_headers(payload)
    else:
        raise InvalidMessage("no_task")
    if not isinstance(name, str) or not isinstance(identity, str) or not identity:
        raise InvalidMessage("no_task")
    arguments, keywords = _arguments(message, payload)
    if name not in app.tasks:
        raise InvalidMessage("unknown_task")
    _check_arguments(app, name, arguments, keywords)


def _set_content_type(message: Message) -> None:
    """Read `application/json; charset=utf-8` (RFC 9110, 8.3) as kombu's two fields."""
    header = EmailMessage()
    try:
        header["Content-Type"] = message.content_type or _JSON
        charset = header.get_content_charset() or "utf-8"
    except (ValueError, TypeError, LookupError):
        raise InvalidMessage("bad_content_type") from None
    if header.get_content_type() != _JSON:
        raise InvalidMessage("bad_content_type")
    encoding: object = message.content_encoding
    # kombu calls bytes that it does not decode binary.
    if not isinstance(encoding, str) or not encoding or encoding == "binary":
        encoding = charset
    message.content_type, message.content_encoding = _JSON, str(encoding)


def _payload(message: Message) -> object:
    if message.errors:  # kombu could not decompress it
        raise InvalidMessage("bad_body")
    try:
        return message.payload
    except Exception as error:  # codecs and serializers raise their own
        raise InvalidMessage("bad_body") from error


def _check_headers(fields: Mapping[str, object]) -> None:
    """Check what Celery reads of a message besides task and arguments."""
    retries = fields.get("retries") or 0
    if isinstance(retries, bool) or not isinstance(retries, int):
        raise InvalidMessage("bad_headers")
    _check_time(fields.get("eta"))
    if not isinstance(fields.get("expires"), int | float):
        _check_time(fields.get("expires"))
    match fields.get("timelimit"):
        case None | [] | [int() | float() | None, int() | float() | None]:
            return
    raise InvalidMessage("bad_headers")


def _check_time(value: object) -> None:
    if value is None or value == "":
        return
    try:
        datetime.fromisoformat(str(value) if isinstance(value, str) else "no text")
    except ValueError:
        raise InvalidMessage("bad_headers") from None


def _arguments(message: Message, parts: object) -> tuple[list[object], dict[str, object]]:
    """Return arguments and keywords; write null for one of them as empty, in the message too."""
    match parts:
        case [given, named, embedded]:
            pass
        case dict():
            given, named, embedded = parts.get("args"), parts.get("kwargs"), None
        case _:
            raise InvalidMessage("bad_parts")
    if not (isinstance(given, list | None) and isinstance(named, dict | None)):
        raise InvalidMessage("bad_parts")
    _check_embedded(embedded)
    if given is None or named is None or (isinstance(parts, list) and embedded is None):
        rest = parts if isinstance(parts, dict) else {}
        whole = {**rest, "args": given or [], "kwargs": named or {}}
        _rewrite(message, whole if rest else [given or [], named or {}, embedded or {}])
    return given or [], named or {}


def _check_embedded(embedded: object) -> None:
    """Check the third part: the tasks that follow this one, which Celery sends once it is over."""
    if not isinstance(embedded, dict | None):
        raise InvalidMessage("bad_parts")
    lists = [(embedded or {}).get(name) for name in ("callbacks", "errbacks", "chain")]
    signatures = [signature for found in lists for signature in _listed(found)]
    chord = (embedded or {}).get("chord")
    for signature in [*signatures, *([] if chord is None else [chord])]:
        if not isinstance(signature, dict) or not isinstance(signature.get("task"), str):
            raise InvalidMessage("bad_parts")


def _listed(found: object) -> list[object]:
    if found is None or isinstance(found, list):
        return found or []
    raise InvalidMessage("bad_parts")


def _rewrite(message: Message, payload: object) -> None:
    message.body = json.dumps(payload)
    message.content_encoding = "utf-8"
    message._decoded_cache = None  # type: ignore[attr-defined]  # noqa: SLF001  # read it again


def _check_arguments(
    app: Celery, name: str, arguments: list[object], keywords: dict[str, object]
) -> None:
    try:
        # Celery's own check of calls, which it makes when a task is sent.
        app.tasks[name].__header__(*arguments, **keywords)  # type: ignore[attr-defined]
    except TypeError:
        raise InvalidMessage("bad_arguments") from None
    # falhook.create takes what it gets, and records why that cannot be a job.
    if name.startswith("falhook.") and name != Task.CREATE:
        for value in (*arguments, *keywords.values()):
            ids = value if isinstance(value, list) and name == Task.INGEST else [value]
            if not all(isinstance(job_id, str) and re.fullmatch(JOB_ID, job_id) for job_id in ids):
                raise InvalidMessage("bad_arguments")
