"""What a file's credentials say: who signed what, when, and whether that holds."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.provenance.sdk import sdk
from worker.provenance.signer import reading
from worker.types import Json

_REMOTE = "Remote:"  # how the SDK's error begins, of no class of its own, where it would fetch


class RemoteManifest(ValueError):
    """The file names an address where its credentials are; nothing is fetched from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestClaim:
    """One manifest of a file: who signed it, when, with what program, and what was done.

    `when` is the time stamp's where it is `stamped`, else what the actions say of themselves; None
    where neither does. `faults`: codes of what was wrong with it when the next claim was made.
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

    `state`: Trusted, Valid (but nobody vouches for the signer) or Invalid; `failures` say why, by
    the standard's codes, and `remarks` what is worth to know besides.
    """

    state: str
    claims: tuple[ManifestClaim, ...]
    failures: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def show(path: Path, anchors: str = "") -> CredentialsReport | None:
    """The credentials of the file at `path`; None where it has none.

    Nothing is fetched. `anchors`: PEM certificates to trust. Raises ProvenanceUnusable without
    the package, OSError where there is no such file, Elsewhere where they are not in it, ValueError
    where it is of no known format.
    """
    c2pa = sdk()
    with path.open("rb"):
        pass  # the SDK's error would not be one of the operating system's
    try:
        reader = c2pa.Reader.try_create(str(path), context=c2pa.Context.from_dict(reading(anchors)))
        if reader is None:
            return None
        with reader:
            held = json.loads(reader.json())
            state = str(reader.get_validation_state())
    except c2pa.C2paError as error:
        if str(error).startswith(_REMOTE):
            raise RemoteManifest(f"the credentials of {path.name} are not in it") from error
        raise ValueError(f"the credentials of {path.name} cannot be read: {error}") from error
    return CredentialsReport(
        state=state,
        claims=_claims(held),
        failures=_codes(held, "failure"),
        remarks=_codes(held, "informational"),
    )


def _claims(held: Mapping[str, Json]) -> tuple[ManifestClaim, ...]:
    match held:
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
    held = manifest if isinstance(manifest, dict) else {}
    signature = held.get("signature_info")
    signed = signature if isinstance(signature, dict) else {}
    actions = list(_actions(held))
    stamp = signed.get("time")
    issuer, name = signed.get("issuer"), signed.get("common_name")
    return ManifestClaim(
        title=str(held.get("title") or ""),
        signer=", ".join(str(part) for part in (name, issuer) if part) or "unknown",
        when=_first([stamp, *(action.get("when") for action in actions)]),
        stamped=isinstance(stamp, str),
        program=_program(held.get("claim_generator_info")),
        actions=tuple(str(action.get("action")) for action in actions),
        source_type=_first([action.get("digitalSourceType") for action in actions]),
        faults=faults,
    )


def _faults(manifests: Iterable[Json]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The label of each manifest that another opened, and what that found wrong with it."""
    for manifest in manifests:
        ingredients = manifest.get("ingredients") if isinstance(manifest, dict) else None
        for ingredient in ingredients if isinstance(ingredients, list) else []:
            opened = ingredient if isinstance(ingredient, dict) else {}
            yield str(opened.get("active_manifest")), _codes(opened, "failure")


def _actions(held: Mapping[str, Json]) -> list[dict[str, Json]]:
    found: list[dict[str, Json]] = []
    assertions = held.get("assertions")
    for assertion in assertions if isinstance(assertions, list) else []:
        match assertion:
            case {"label": str(label), "data": {"actions": list(actions)}} if "actions" in label:
                found += [action for action in actions if isinstance(action, dict)]
    return found


def _program(info: Json) -> str:
    match info:
        case [{"name": str(name), **rest}, *_]:
            return f"{name} {rest.get('version') or ''}".strip()
    return "unknown"


def _first(values: list[Json]) -> str | None:
    return next((value for value in values if isinstance(value, str) and value), None)


def _codes(held: Mapping[str, Json], kind: str) -> tuple[str, ...]:
    results = held.get("validation_results")
    active = results.get("activeManifest") if isinstance(results, dict) else None
    found = active.get(kind) if isinstance(active, dict) else None
    entries = found if isinstance(found, list) else []
    return tuple(str(entry.get("code")) for entry in entries if isinstance(entry, dict))
