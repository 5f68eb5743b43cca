"""What a job has published, as its manifest lists it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from worker.jobs.job import Job, JobState
from worker.storage.layout import MANIFEST

_VIDEOS = (".mp4", ".webm", ".mov")
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif")
_SOUNDS = (".mp3", ".wav", ".m4a", ".flac", ".ogg")
# A sprite is a picture for players.
_SPRITE = "storyboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFile:
    """One file; `bytes` and `sha256` are None and "" if the manifest does not say."""

    name: str
    bytes: int | None
    sha256: str

    @property
    def is_top(self) -> bool:
        """Whether it is in no folder."""
        return "/" not in self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The files of a job, what can be played of them, and how they are marked."""

    files: Sequence[PublishedFile] = ()
    video: str = ""
    poster: str = ""
    pictures: Sequence[str] = ()
    sounds: Sequence[str] = ()
    playlist: str = ""
    storyboard: str = ""
    origin: str = ""
    credentials: str = ""
    left_out: Any = None

    @classmethod
    def of(cls, job: Job, manifest: Mapping[str, Any]) -> Self:
        """Return what a job has published; nothing before that."""
        if job.state is not JobState.PUBLISHED:
            return cls()
        names_only = job.outputs.get("files")
        kept = names_only if isinstance(names_only, list | dict) else []
        listed = manifest.get("files") or dict.fromkeys(map(str, kept))
        files = [_file(str(name), facts) for name, facts in listed.items()]
        names = [file.name for file in files]
        top = [name for name in names if "/" not in name]
        pictures = [name for name in _ending(top, _PICTURES) if not name.startswith(_SPRITE)]
        provenance = manifest.get("provenance")
        origin = str((manifest.get("ai_origin") or {}).get("DigitalSourceType", ""))
        return cls(
            files=[*files, PublishedFile(name=MANIFEST, bytes=None, sha256="")],
            video=_first(_ending(top, _VIDEOS), "video.mp4"),
            poster=_first([name for name in pictures if name.startswith("poster")], "poster.jpg"),
            pictures=[name for name in pictures if not name.startswith("poster")],
            sounds=_ending(top, _SOUNDS),
            playlist=_first([n for n in names if n.endswith(".m3u8")], "hls.m3u8"),
            storyboard=_first([name for name in top if name.endswith(".vtt")], "storyboard.vtt"),
            origin=origin.rpartition("/")[2],
            credentials=str(provenance.get("state", "")) if isinstance(provenance, dict) else "",
            left_out=manifest.get("left_out"),
        )


def _file(name: str, facts: object) -> PublishedFile:
    known = facts if isinstance(facts, Mapping) else {}
    size = known.get("bytes")
    return PublishedFile(
        name=name,
        bytes=size if isinstance(size, int) else None,
        sha256=str(known.get("sha256", "")),
    )


def _ending(names: Sequence[str], endings: tuple[str, ...]) -> Sequence[str]:
    return [name for name in names if name.endswith(endings)]


def _first(names: Sequence[str], preferred: str) -> str:
    return preferred if preferred in names else next(iter(names), "")
