"""What is known of a key: all but its secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from worker.api_keys.scopes import Scope

LONGEST_NAME = 60


class InvalidKey(ValueError):
    """A key cannot be added like this; the message is a sentence with the correction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key. Times are Unix seconds; `last_used_at` is the beginning of that minute.

    `id` is public: the first letters of the token after `fhk_`.
    """

    id: str
    name: str
    tenant: str
    scopes: frozenset[Scope]
    created_at: float
    expires_at: float | None = None
    last_used_at: float | None = None
    revoked_at: float | None = None

    def state(self, now: float) -> str:
        """Return `valid`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "valid" if self.expires_at is None or now < self.expires_at else "expired"

    @property
    def scope_names(self) -> list[str]:
        """The names of its scopes, in the order in which Scope lists them."""
        return [scope.value for scope in Scope if scope in self.scopes]

    def data(self) -> dict[str, object]:
        """Return the key for JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "tenant": self.tenant,
            "scopes": self.scope_names,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "last_used_at": self.last_used_at,
            "revoked_at": self.revoked_at,
        }

    def encode(self) -> dict[str, str]:
        """Return the fields of its record in Redis, without those that are None."""
        fields = {**self.data(), "scopes": " ".join(self.scope_names)}
        return {name: str(value) for name, value in fields.items() if value is not None}

    @classmethod
    def decode(cls, record: Mapping[str, str]) -> Self:
        """Return the key that `encode` wrote; scopes of later versions are left out."""
        known = {scope.value for scope in Scope}
        return cls(
            id=record["id"],
            name=record["name"],
            tenant=record["tenant"],
            scopes=frozenset(Scope(each) for each in record["scopes"].split() if each in known),
            created_at=float(record["created_at"]),
            expires_at=_time(record, "expires_at"),
            last_used_at=_time(record, "last_used_at"),
            revoked_at=_time(record, "revoked_at"),
        )


def checked_name(name: str) -> str:
    """Return the name of a key without space around it. Raises InvalidKey."""
    stripped = name.strip()
    if not stripped or len(stripped) > LONGEST_NAME or not stripped.isprintable():
        raise InvalidKey(
            f"A key needs a name of 1 to {LONGEST_NAME} printable characters that says who uses "
            "it, such as web-shop."
        )
    return stripped


def _time(record: Mapping[str, str], name: str) -> float | None:
    return float(record[name]) if name in record else None
