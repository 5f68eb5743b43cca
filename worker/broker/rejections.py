"""Messages that are rejected: one line in the log for each, and a count."""

from itertools import count

from webhook.log import get_logger
from worker.text import shorten

log = get_logger()

_LONGEST = 64
_numbers = count(1)


def log_rejection(
    queue: str, reason: str, *, size: int | None = None, task: object = None, message: object = None
) -> None:
    """Log that a message of `queue` is rejected; `total` counts those of this process.

    `task` and `message` are the names in it; its contents may be a prompt and are left out.
    """
    fields: dict[str, object] = {"queue": queue, "reason": reason, "total": next(_numbers)}
    if size is not None:
        fields["bytes"] = size
    for name, value in (("task", task), ("message", message)):
        if isinstance(value, str):
            fields[name] = shorten(value, _LONGEST)
    log.warning("message.rejected", **fields)
