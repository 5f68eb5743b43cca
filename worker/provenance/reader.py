"""Reading of a file's credentials: who signed what and when, and whether it validates."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.provenance.claim_verdict import ClaimVerdict
from worker.provenance.sdk import sdk
from worker.provenance.signer import reading
from worker.types import Json

_REMOTE = "Remote:"  # beginning of the SDK's error, which has no class of its own


class RemoteManifest(ValueError):
    """The file has only the URL of its credentials, which is not fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestClaim:
    """One manifest of a file: its signer, time, program and actions.

    `when` is the time of its time stamp if it is `stamped`, else the time that an action states,
    if any. `faults`: codes of its validation failures when the next claim was created.
    """

    title: str
    signer: str
    when: str | None
    stamped: bool
    program: str
    actions: tuple[str, ...]
    source_type: str | None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsReport:
    """All claims of a file, the newest first, and how they validate.

    `state`: Trusted, Valid (the signer is unknown) or Invalid. `failures` and `remarks` are codes
    of the standard. `own` judges the newest claim alone.
    """

    state: str
    claims: tuple[ManifestClaim, ...]
    failures: tuple[str, ...]
    remarks: tuple[str, ...]
    own: ClaimVerdict


def show(path: Path, anchors: str = "") -> CredentialsReport | None:
    """Read the credentials of the file at `path`; return None if it has none.

    Nothing is fetched. `anchors`: PEM certificates to trust. Raises ProvenanceUnusable if the SDK
    is not installed, OSError if the file cannot be opened, RemoteManifest if its credentials are
    elsewhere, and ValueError if the SDK cannot read it.
    """
    c2pa = sdk()
    with path.open("rb"):
        pass  # raises OSError, which the SDK would not
    try:
        reader = c2pa.Reader.try_create(str(path), context=c2pa.Context.from_dict(reading(anchors)))
        if reader is None:
            return None
        with reader:
            store = json.loads(reader.json())
            state = str(reader.get_validation_state())
    except c2pa.C2paError as error:
        if str(error).startswith(_REMOTE):
            raise RemoteManifest(f"{path.name} has only the URL of its credentials") from error
        raise ValueError(f"the credentials of {path.name} cannot be read: {error}") from error
    return CredentialsReport(
        state=state,
        claims=_claims(store),
        failures=_codes(store, "failure"),
        remarks=_codes(store, "informational"),
        own=ClaimVerdict.of(store),
    )


def _claims(store: Mapping[str, Json]) -> tuple[ManifestClaim, ...]:
    match store:
        case {"active_manifest": str(active), "manifests": dict(manifests)}:
            order = [active, *(label for label in manifests if label != active)]
            faults = dict(_faults(manifests.values()))
            return tuple(
                _claim(manifest, faults.get(label, ()))
                for label in order
                if (manifest := manifests[label])
            )
    return ()


def _claim(manifest: Json, faults: tuple[str, ...]) -> ManifestClaim:
    fields = manifest if isinstance(manifest, dict) else {}
    info = fields.get("signature_info")
    signature = info if isinstance(info, dict) else {}
    actions = list(_actions(fields))
    stamp = signature.get("time")
    issuer, name = signature.get("issuer"), signature.get("common_name")
    return ManifestClaim(
        title=str(fields.get("title") or ""),
        signer=", ".join(str(part) for part in (name, issuer) if part) or "unknown",
        when=_first([stamp, *(action.get("when") for action in actions)]),
        stamped=isinstance(stamp, str),
        program=_program(fields.get("claim_generator_info")),
        actions=tuple(str(action.get("action")) for action in actions),
        source_type=_first([action.get("digitalSourceType") for action in actions]),
        faults=faults,
    )


def _faults(manifests: Iterable[Json]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the label and the failures of each manifest that is an ingredient of another."""
    for manifest in manifests:
        ingredients = manifest.get("ingredients") if isinstance(manifest, dict) else None
        for ingredient in ingredients if isinstance(ingredients, list) else []:
            opened = ingredient if isinstance(ingredient, dict) else {}
            yield str(opened.get("active_manifest")), _codes(opened, "failure")


def _actions(manifest: Mapping[str, Json]) -> list[dict[str, Json]]:
    result: list[dict[str, Json]] = []
    assertions = manifest.get("assertions")
    for assertion in assertions if isinstance(assertions, list) else []:
        match assertion:
            case {"label": str(label), "data": {"actions": list(actions)}} if "actions" in label:
                result += [action for action in actions if isinstance(action, dict)]
    return result


def _program(info: Json) -> str:
    match info:
        case [{"name": str(name), **rest}, *_]:
            return f"{name} {rest.get('version') or ''}".strip()
    return "unknown"


def _first(values: list[Json]) -> str | None:
    return next((value for value in values if isinstance(value, str) and value), None)


def _codes(fields: Mapping[str, Json], kind: str) -> tuple[str, ...]:
    results = fields.get("validation_results")
    active = results.get("activeManifest") if isinstance(results, dict) else None
    listed = active.get(kind) if isinstance(active, dict) else None
    entries = listed if isinstance(listed, list) else []
    return tuple(str(entry.get("code")) for entry in entries if isinstance(entry, dict))
