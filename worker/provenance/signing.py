"""Signing a delivery: the video says how it was made, each other file that it was made of it.

Actions: https://spec.c2pa.org/specifications/specifications/2.2/specs/C2PA_Specification.html
(Actions). The first is "created", which needs a digital source type, or "opened", which needs the
ingredient that was opened.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from worker.failures import Failure, Permanent, Transient
from worker.layout import CONTENT_TYPES
from worker.provenance.credentials import Credentials, sdk
from worker.tags import AI_ORIGIN, Tags

GOOD = frozenset({"Valid", "Trusted"})
_PARENT = "parent"
_UNSIGNED = frozenset({".vtt", ".m3u8", ".m4s"})  # texts, and fragments, which the SDK cannot sign
# What the SDK says when a request to the authority fails, or its answer is no time stamp.
_NO_STAMP = "Signature: internal error"
_SIGNED = ".signed"  # suffix of a file that is being signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a file was made of: `parent` was opened, or the video was created, if there is none."""

    parent: Path | None
    actions: tuple[Mapping[str, object], ...]


def sign_delivery(
    files: Sequence[Path],
    tags: Tags,
    credentials: Credentials,
    *,
    vendor: Path | None,
    copied: bool,
) -> str:
    """Sign the files of a delivery in place, the video first; returns how the video validates.

    `vendor`: the file from fal, where it has credentials of its own; they become the parent's.
    Each file is validated after it was signed, against the credentials' anchors where there are
    some. Raises `Permanent` (signing_refused) where a certificate or file is refused, and what
    the credentials' own signing raises.
    """
    video, *others = files
    actions: tuple[Mapping[str, object], ...] = ({"action": "c2pa.edited.metadata"},)
    if not copied:
        actions = ({"action": "c2pa.transcoded"}, *actions)
    if vendor is None:
        created = {
            "action": "c2pa.created",
            "digitalSourceType": AI_ORIGIN,
            "softwareAgent": {"name": f"{tags.endpoint} (fal.ai)"},
            "when": tags.pairs({})["date"],
        }
        actions = (created, *actions)
    state = _sign(video, Origin(parent=vendor, actions=actions), tags, credentials)
    for path in others:
        if path.suffix not in _UNSIGNED:
            kind = "c2pa.transcoded" if path.suffix == ".mp4" else "c2pa.converted"
            _sign(path, Origin(parent=video, actions=({"action": kind},)), tags, credentials)
    return state


def _sign(path: Path, origin: Origin, tags: Tags, credentials: Credentials) -> str:
    c2pa, signed = sdk(), path.with_name(path.name + _SIGNED)
    failures: list[Failure] = []
    context = c2pa.Context.from_dict(credentials.settings())
    try:
        with (
            _signer(c2pa, credentials, failures.append) as signer,
            c2pa.Builder(_manifest(path, origin, tags), context=context) as builder,
        ):
            if origin.parent:
                _add_parent(builder, origin.parent)
            with path.open("rb") as source, signed.open("w+b") as target:
                builder.sign(signer, CONTENT_TYPES[path.suffix], source, target)
        state = _validated(c2pa, signed, path.suffix, context)
    except c2pa.C2paError as error:
        signed.unlink(missing_ok=True)
        raise next(iter(failures), _unsigned(path, credentials, str(error))) from error
    if state not in GOOD or (credentials.anchors and state != "Trusted"):
        signed.unlink()
        raise _refused(path, f"after signing it is {state}")
    signed.replace(path)
    return state


def _signer(c2pa: Any, credentials: Credentials, fail: Callable[[Failure], None]) -> Any:
    """The SDK's signer; of an exception in it the SDK tells only that there was one."""

    def sign(data: bytes) -> bytes:
        try:
            return credentials.sign(data)
        except Failure as failure:
            fail(failure)
            raise

    algorithm = getattr(c2pa.C2paSigningAlg, credentials.algorithm)
    return c2pa.Signer.from_callback(sign, algorithm, credentials.chain, credentials.tsa)


def _manifest(path: Path, origin: Origin, tags: Tags) -> Mapping[str, object]:
    actions = list(origin.actions)
    if origin.parent:
        actions.insert(0, {"action": "c2pa.opened", "parameters": {"ingredientIds": [_PARENT]}})
    return {
        "claim_generator_info": [{"name": "falhook", "version": version("falhook")}],
        "title": tags.title,
        "format": CONTENT_TYPES[path.suffix],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }


def _add_parent(builder: Any, parent: Path) -> None:
    ingredient = {"title": parent.name, "relationship": "parentOf", "instance_id": _PARENT}
    with parent.open("rb") as stream:
        builder.add_ingredient(json.dumps(ingredient), CONTENT_TYPES[parent.suffix], stream)


def _validated(c2pa: Any, path: Path, suffix: str, context: Any) -> str:
    with (
        path.open("rb") as stream,
        c2pa.Reader(CONTENT_TYPES[suffix], stream, context=context) as r,
    ):
        return str(r.get_validation_state())


def _unsigned(path: Path, credentials: Credentials, words: str) -> Failure:
    """What an error of the SDK means, which tells no failed time stamp apart from others."""
    if credentials.tsa and words.startswith(_NO_STAMP):
        # The address may hold a password.
        host = f"{urlsplit(credentials.tsa).hostname} (FALHOOK_C2PA_TSA)"
        said = _printable(words.partition(" for url ")[0].replace(credentials.tsa, host))
        return Transient("timestamp_unavailable", f"{host} gave no time stamp: {said}")
    return _refused(path, words)


def _refused(path: Path, words: str) -> Permanent:
    return Permanent("signing_refused", f"{path.name} could not be signed: {_printable(words)}")


def _printable(words: str) -> str:
    return "".join(filter(str.isprintable, words))[:300]
