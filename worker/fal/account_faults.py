"""Refusals that blame the account and not the job: its key, its balance, its permissions.

https://fal.ai/docs/errors : 401 for a bad key, 403 for a key without permission and for an account
that is locked or out of balance; 402 is in use for the balance too. But 401 and 403 are also fal's
answers for one application that the account may not use, whose jobs have to fail.
"""

import re
from enum import Enum, auto

_STATUSES = frozenset({401, 402, 403})
# fal's words for an application that is not the account's to use.
_OF_ENDPOINT = re.compile(
    r"\b(application|app|model|endpoint|resource)\b.*\b(access|allowed|permission|private|found)"
    r"|\b(access|allowed|permission|authorized)\b.*\b(application|app|model|endpoint|resource)\b",
    re.IGNORECASE,
)
_OF_ACCOUNT = re.compile(
    r"balance|credit|billing|payment|exhausted|locked|suspended|disabled|account|\bkey\b|api.?key"
    r"|token|scope|credential|authenticat|unauthorized|\buser\b|quota|spend",
    re.IGNORECASE,
)


class AccountFault(Enum):
    """What submission has to stop for: the whole account, or one endpoint of it."""

    ACCOUNT = auto()
    ENDPOINT = auto()


def account_fault(status: int, words: str) -> AccountFault | None:
    """Return what an answer with this status says of the account; None if it is the job's fault.

    401 and 402 blame the account unless fal's words name an application. 403 blames it if the words
    do; without words that tell, only the endpoint stops, so that other endpoints are not held up.
    """
    if status not in _STATUSES:
        return None
    if _OF_ENDPOINT.search(words):
        return None
    if status != 403 or _OF_ACCOUNT.search(words):  # noqa: PLR2004
        return AccountFault.ACCOUNT
    return AccountFault.ENDPOINT
