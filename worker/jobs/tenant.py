"""Tenants: names to which jobs belong. A caller who acts for one sees only its jobs.

`default` is the tenant of jobs that name none. It has no indexes of its own, so that a deployment
without tenants stores and sends nothing for them.
"""

import json
import re

DEFAULT = "default"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_LONGEST_SHOWN = 40
_RULE = "use 1 to 40 lower-case letters, digits, '.', '_' and '-', beginning with a letter or digit"


class InvalidTenant(ValueError):
    """A text or a value of another type that cannot name a tenant; the message has the cure."""

    reason = "bad_tenant"


def checked_tenant(name: object) -> str:
    """Return the name of a tenant, `default` for None. Raises InvalidTenant for an unusable one."""
    if name is None:
        return DEFAULT
    if not isinstance(name, str):
        raise InvalidTenant(f"tenant must be a string, not of type {type(name).__name__}; {_RULE}")
    if NAME.fullmatch(name) is None:
        cut = name[:_LONGEST_SHOWN] + "…" * (len(name) > _LONGEST_SHOWN)
        raise InvalidTenant(f"tenant {json.dumps(cut)} cannot name a tenant: {_RULE}")
    return name
