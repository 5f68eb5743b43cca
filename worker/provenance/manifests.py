"""Manifests of a delivery: the video was created or opened, every other file derived from it.

Actions: https://spec.c2pa.org/specifications/specifications/2.2/specs/C2PA_Specification.html
(Actions). The first is "created", which needs a digital source type, or "opened", which needs the
ingredient that was opened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from webhook.log import get_logger
from worker.errors import Failure, Permanent, Transient
from worker.formats.media_types import CONTENT_TYPES
from worker.formats.tags import AI_ORIGIN, Tags
from worker.provenance.signer import Signer
from worker.provenance.signing import PARENT, sign
from worker.version import VERSION

log = get_logger()
_TAGGED, _TRANSCODED, _CONVERTED = "c2pa.edited.metadata", "c2pa.transcoded", "c2pa.converted"
# Why files of a delivery are not signed, by suffix.
UNSIGNED = {
    ".vtt": "texts are not signed",
    ".m3u8": "texts are not signed",
    ".m4s": "fragments are not signed: the SDK does not support them",
}
# Reason codes of what `sign` raises: they concern the signature and not the file.
SIGNING_FAILURES = frozenset({"signing_refused", "signing_failed", "timestamp_unavailable"})


def ends_signing(failure: Failure, *, last: bool) -> bool:
    """Return whether a file goes without its signature after this failure.

    `last`: this is the last try, after which no other follows a transient failure.
    """
    lasting = last or not isinstance(failure, Transient)
    return lasting and failure.reason in SIGNING_FAILURES


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDelivery:
    """How the claim of the video validates, and why other files are not signed, by file name.

    `is_parent`: the file from fal is the parent of the video.
    """

    state: str
    is_parent: bool
    unsigned: Mapping[str, str]


def sign_delivery(
    files: Sequence[Path],
    tags: Tags,
    signer: Signer,
    *,
    parent: Path | None,
    copied: bool,
    last: bool = False,
    now: datetime | None = None,
) -> SignedDelivery:
    """Sign the files of a delivery in place, the video first.

    `parent`: the file from fal, if it has readable credentials of its own. If the video cannot be
    signed with it, it is signed as created. Another file that cannot be signed, or not in the
    `last` try, stays as it is. Our actions are dated `now`, by default the current time.
    Raises what `sign` raises for the video.
    """
    video, *others = files
    when = _when(now or datetime.now(UTC))
    made = [_action(name, when) for name in (*(() if copied else (_TRANSCODED,)), _TAGGED)]

    def sign_video(parent: Path | None) -> str:
        first = _created(tags) if parent is None else _opened(when)
        claim = manifest(video, tags.title, first, *made)
        return sign(video, claim, signer, parent=parent).own.state

    try:
        state, is_parent = sign_video(parent), parent is not None
    except Permanent as refusal:
        if parent is None:
            raise
        log.warning("credentials.left", file=video.name, why=refusal.sentence)
        state, is_parent = sign_video(None), False
    unsigned = {}
    for path in others:
        if path.suffix not in UNSIGNED and (
            why := _derive(path, video, tags, signer, when, last=last)
        ):
            unsigned[path.name] = why
    return SignedDelivery(state=state, is_parent=is_parent, unsigned=unsigned)


def _derive(
    path: Path, video: Path, tags: Tags, signer: Signer, when: str, *, last: bool
) -> str | None:
    """Sign a file derived from the video; return why it goes without a signature, or None."""
    name = _TRANSCODED if path.suffix == ".mp4" else _CONVERTED
    claim = manifest(path, tags.title, _opened(when), _action(name, when))
    try:
        sign(path, claim, signer, parent=video)
    except Failure as refusal:
        if not ends_signing(refusal, last=last):
            raise
        log.warning("file.unsigned", file=path.name, why=refusal.sentence)
        return refusal.sentence
    return None


def _created(tags: Tags) -> dict[str, object]:
    return {
        "action": "c2pa.created",
        "digitalSourceType": AI_ORIGIN,
        "softwareAgent": {"name": f"{tags.endpoint} (fal.ai)" if tags.names_job else "fal.ai"},
        "when": _when(tags.created),
    }


def _opened(when: str) -> dict[str, object]:
    return _action("c2pa.opened", when) | {"parameters": {"ingredientIds": [PARENT]}}


def _action(name: str, when: str) -> dict[str, object]:
    return {"action": name, "when": when}


def _when(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def manifest(path: Path, title: str, *actions: Mapping[str, object]) -> Mapping[str, object]:
    """Return the manifest of a file with these actions, in the SDK's format."""
    return {
        "claim_generator_info": [{"name": "falhook", "version": VERSION}],
        "title": title,
        "format": CONTENT_TYPES[path.suffix],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}],
    }
