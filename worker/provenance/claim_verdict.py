"""How the newest claim of a file validates, whatever is said in it or in older ones by others.

The SDK's state of a file is also drawn down by identities (CAWG) and ingredients of other signers.
Codes: https://spec.c2pa.org/specifications/specifications/2.2/specs/C2PA_Specification.html
(Validation).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from worker.types import Json

UNTRUSTED = "signingCredential.untrusted"
_TRUSTED, _SIGNED = "signingCredential.trusted", "claimSignature.validated"
_BOUND = "Hash.match"  # end of the codes for each kind of hash of the file
# Beginnings of codes about the claim itself: its form, its assertions, its signature, its signer.
_CLAIM = ("claim.", "claimSignature.", "assertion.", "signingCredential.", "algorithm.", "general.")


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """How one claim validates: Trusted, Valid (its signer is unknown) or Invalid; and why not."""

    state: str = "Invalid"
    failures: tuple[str, ...] = ()

    @classmethod
    def of(cls, store: Mapping[str, Json]) -> Self:
        """Return the verdict on the active manifest in the SDK's report of a file."""
        label = str(store.get("active_manifest"))
        good, bad = set(_codes(store, label, "success")), tuple(_codes(store, label, "failure"))
        is_whole = _SIGNED in good and any(code.endswith(_BOUND) for code in good)
        if not is_whole or set(bad) - {UNTRUSTED}:
            return cls("Invalid", bad)
        return cls("Trusted" if _TRUSTED in good else "Valid", bad)


def _codes(store: Mapping[str, Json], label: str, kind: str) -> Iterator[str]:
    """Yield the codes about this manifest: their addresses name it, or no manifest."""
    match store.get("validation_results"):
        case {"activeManifest": dict(results)}:
            entries = results.get(kind)
        case _:
            entries = None
    for entry in entries if isinstance(entries, list) else []:
        match entry:
            case {"code": str(code), **rest} if code.startswith(_CLAIM):
                address = str(rest.get("url") or "")
                if "/c2pa/" not in address or f"/{label}/" in address:
                    yield code
