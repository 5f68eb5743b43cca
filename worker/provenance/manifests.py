"""Manifests of a delivery: the video was created or opened, every other file derived from it.

Actions: https://spec.c2pa.org/specifications/specifications/2.2/specs/C2PA_Specification.html
(Actions). The first is "created", which needs a digital source type, or "opened", which needs the
ingredient that was opened.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from worker.formats.media_types import CONTENT_TYPES
from worker.formats.tags import AI_ORIGIN, Tags
from worker.provenance.signer import Signer
from worker.provenance.signing import PARENT, sign

# Why files of a delivery are not signed, by suffix.
UNSIGNED = {
    ".vtt": "texts are not signed",
    ".m3u8": "texts are not signed",
    ".m4s": "fragments are not signed: the SDK does not support them",
}


def sign_delivery(
    files: Sequence[Path],
    tags: Tags,
    signer: Signer,
    *,
    parent: Path | None,
    copied: bool,
    now: datetime | None = None,
) -> str:
    """Sign the files of a delivery in place, the video first; return how the video validates.

    `parent`: the file from fal, if it has readable credentials of its own. Our actions are dated
    `now`, by default the current time. Raises what `sign` raises.
    """
    video, *others = files
    when = _when(now or datetime.now(UTC))
    first = _created(tags) if parent is None else _opened(when)
    names = ["c2pa.edited.metadata"] if copied else ["c2pa.transcoded", "c2pa.edited.metadata"]
    actions = [first, *(_action(name, when) for name in names)]
    report = sign(video, manifest(video, tags.title, *actions), signer, parent=parent)
    for path in others:
        if path.suffix not in UNSIGNED:
            name = "c2pa.transcoded" if path.suffix == ".mp4" else "c2pa.converted"
            derived = manifest(path, tags.title, _opened(when), _action(name, when))
            sign(path, derived, signer, parent=video)
    return report.state


def _created(tags: Tags) -> dict[str, object]:
    return {
        "action": "c2pa.created",
        "digitalSourceType": AI_ORIGIN,
        "softwareAgent": {"name": f"{tags.endpoint} (fal.ai)"},
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
        "claim_generator_info": [{"name": "falhook", "version": version("falhook")}],
        "title": title,
        "format": CONTENT_TYPES[path.suffix],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}],
    }
