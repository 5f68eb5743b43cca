"""What an API key allows."""

from collections.abc import Collection
from enum import StrEnum


class Scope(StrEnum):
    """One thing that a key may allow."""

    CREATE = "jobs:create"
    """Create jobs, and upload their inputs."""
    READ = "jobs:read"
    """Read jobs, their files, models and counts."""
    ACT = "jobs:act"
    """Cancel jobs, and retry them."""
    EVENTS = "events"
    """Follow the events of jobs."""
    ENDPOINTS = "endpoints"
    """Add endpoints, which are told of the tenant's jobs, and read what they were told."""
    SCALE = "scale"
    """Count the work of each pool of workers, of every tenant: for an autoscaler."""
    ADMIN = "admin"
    """All of these, all but `scale` for its own tenant, and the keys of every tenant."""


# The scopes of a key for which none are chosen.
USUAL = frozenset(Scope) - {Scope.ENDPOINTS, Scope.SCALE, Scope.ADMIN}


def allows(granted: Collection[Scope], needed: Scope) -> bool:
    """Return whether a key with the `granted` scopes may do what needs the scope `needed`."""
    return needed in granted or Scope.ADMIN in granted
