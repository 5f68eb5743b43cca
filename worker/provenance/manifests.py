"""What was done to the files of a delivery: the video was created, each other file made of it.

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

# Files of a delivery that are not signed, by their ending, and why.
UNSIGNED = {
    ".vtt": "texts are not signed",
    ".m3u8": "texts are not signed",
    ".m4s": "fragments are not signed: the SDK knows no signing of them",
}


def sign_delivery(
    files: Sequence[Path],
    tags: Tags,
    credentials: Signer,
    *,
    vendor: Path | None,
    copied: bool,
    now: datetime | None = None,
) -> str:
    """Sign the files of a delivery in place, the video first; returns how the video validates.

    `vendor`: the file from fal, where it has credentials of its own that can be read; they become
    the parent's. Actions of ours happened `now`, by default at present. Raises what `sign` does.
    """
    video, *others = files
    when = _when(now or datetime.now(UTC))
    first = _created(tags) if vendor is None else _opened(when)
    done = ["c2pa.edited.metadata"] if copied else ["c2pa.transcoded", "c2pa.edited.metadata"]
    rest = [_action(name, when) for name in done]
    shown = sign(video, manifest(video, tags.title, first, *rest), credentials, parent=vendor)
    for path in others:
        if path.suffix not in UNSIGNED:
            kind = "c2pa.transcoded" if path.suffix == ".mp4" else "c2pa.converted"
            made = manifest(path, tags.title, _opened(when), _action(kind, when))
            sign(path, made, credentials, parent=video)
    return shown.state


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
    return {
        "claim_generator_info": [{"name": "falhook", "version": version("falhook")}],
        "title": title,
        "format": CONTENT_TYPES[path.suffix],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}],
    }
