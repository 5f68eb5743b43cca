"""What an error of Redis means: refused for now, whatever the command, or a fault of the command.

A server that answers may still be unavailable: it loads its data, has become a replica, cannot
write to its disk, or is full. Every process treats that like a lost connection.
"""

import re

from redis.exceptions import RedisError

# https://github.com/redis/redis/blob/7.0/src/server.c (createSharedObjects) and src/cluster.c.
# UNBLOCKED ends a blocked BRPOP when its server becomes a replica.
_CODES = (
    "UNBLOCKED",
    "READONLY",
    "MASTERDOWN",
    "NOREPLICAS",
    "LOADING",
    "MISCONF",
    "OOM",
    "BUSY",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MOVED",
    "ASK",
    "NOAUTH",
    "WRONGPASS",
    "DENIED",
)
# Answers of servers and of proxies in front of them (Envoy, twemproxy) that have no code.
_PHRASES = ("max number of clients", "no upstream host", "upstream failure", "upstream connection")
FULL = "OOM"
# Redis 6 has the code of an error in a script only in its text, after a hyphen; so has EXECABORT.
_REFUSAL = re.compile(
    rf"(?:^|(?<=[ :]-)|(?<=because of: ))(?P<code>{'|'.join(_CODES)})(?= |$)"
    rf"|(?P<phrase>{'|'.join(_PHRASES)})"
)


def refusal(error: BaseException) -> str | None:
    """Return the code with which Redis refuses every such command for now; None if it does not.

    The code is a Redis error code, or the words of an answer that has none.
    """
    if not isinstance(error, RedisError):
        return None
    # redis-py removes some codes from the message.
    code = getattr(error, "status_code", None)
    if code in _CODES:
        return str(code)
    match = _REFUSAL.search(str(error))
    return match[0] if match else None
