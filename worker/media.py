"""From what fal rendered to what is published: a video that plays everywhere, and its pictures.

The order is: preflight, copy or encode with every other output in one run, verify each, tag each,
sign each where there are credentials to sign with; nothing touches a file after that. A stream
that conforms is never encoded again: its packets are the source's.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from worker import proof, storyboard
from worker.blurhash import blurhash
from worker.conform import audio_reasons, video_reasons
from worker.cost import Cost, Meter
from worker.encode import Method, Plan, command
from worker.failures import Permanent
from worker.ffmpeg import Advance, Ffmpeg
from worker.hls import ladder
from worker.mp4 import NotRewritable, Probe, Stamp, probe, read_tags, rewrite
from worker.pictures import size_of, tag
from worker.profiles import (
    ORIGINAL,
    POSTER,
    VIDEO,
    Blur,
    Hls,
    Output,
    Profile,
    Rendition,
    Storyboard,
)
from worker.provenance import Credentials, sign_delivery
from worker.tags import Tags

__all__ = ["Delivery", "Tags", "deliver"]

UNTOUCHED = "original.mp4"  # the source itself, where its credentials would be lost otherwise
_SCRATCH = ".made"  # where outputs lie until they are verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What was made and proven.

    `files`: all of it, the video first. `probe` is of the video, `reasons` say why it was not just
    copied; `skipped` are renditions of the profile that would have no fewer lines than the source.
    `cost` is by part of the work. `signed` is how the video's credentials validate, None where it
    has none; `vendor` says that the source had credentials: then they are the parent of ours, or
    without ours the source itself is among the files, as original.mp4.
    """

    files: tuple[Path, ...]
    method: Method
    profile: str
    probe: Probe
    source: Probe
    reasons: tuple[str, ...]
    skipped: tuple[str, ...]
    blurhash: str | None
    signed: str | None
    vendor: bool
    cost: Mapping[str, Cost]

    @property
    def video(self) -> Path:
        """The master."""
        return self.files[0]

    @property
    def poster(self) -> Path:
        """The picture that stands for it."""
        return self.video.with_name(POSTER)


def deliver(
    source: Path,
    into: Path,
    tags: Tags,
    *,
    ffmpeg: Ffmpeg,
    profile: Profile = ORIGINAL,
    credentials: Credentials | None = None,
    progress: Callable[[Advance], None] | None = None,
    meter: Meter | None = None,
) -> Delivery:
    """Make all that `profile` asks of the clip `source`, in the directory `into`, and check it.

    Afterwards the files lie there complete, tagged, of the source's length; after a failure
    nothing there may be used. A `source` whose headers are broken or hostile is refused before
    ffmpeg is started. `progress` is told at most twice a second, and fraction 1 when
    all is checked. `meter` measures what each part of the work costs.

    Raises `Permanent` (media_invalid, media_unsupported, signing_refused), `Transient`
    (media_timeout, media_crashed, signing_failed).
    """
    meter = meter or Meter()
    with meter.measure("preflight"):
        held = probe(source)
        stamp = tags.stamp(theirs := read_tags(source))
    _require_encoders(profile, ffmpeg)
    work = _Work(source, into, held, profile, stamp)
    with meter.measure("copy", bytes_in=held.size) as cost:
        plan = work.plan()
        cost.bytes_out = _bytes(work.scratch)
    with meter.measure("ffmpeg", bytes_in=held.size) as cost:
        arguments = command(plan, ffmpeg)
        used = ffmpeg.run(
            arguments, source=source, cwd=work.scratch, duration=held.duration, progress=progress
        )
        cost.child(used)
        cost.bytes_out = _bytes(work.scratch) - meter.costs["copy"].bytes_out
    with meter.measure("verify"):
        work.verify(plan)
    with meter.measure("tag", bytes_in=_bytes(work.scratch)) as cost:
        files = work.finish(plan)
        cost.bytes_out = _bytes(into)
    with meter.measure("verify tags"):
        _require_tags(files, tags.pairs(theirs))
    if profile.hls:
        with meter.measure("ladder"):
            files = (*files, *ladder(work.rungs(plan), profile.hls, into, ffmpeg))
    with meter.measure("sign", bytes_in=_bytes(into)) as cost:
        signed, files = work.sign(files, tags, credentials)
        cost.bytes_out = _bytes(into)
    if progress:
        progress(Advance(fraction=1.0, frames=held.frames))
    return Delivery(
        files=files,
        method="transcode" if work.reasons else "copy",
        profile=profile.name,
        probe=probe(files[0]),
        source=held,
        reasons=work.reasons,
        skipped=tuple(output.file for output in profile.outputs if output not in plan.outputs),
        blurhash=work.blurhash,
        signed=signed,
        vendor=held.has_c2pa,
        cost=meter.costs,
    )


class _Work:
    """The making of one clip's outputs, in a scratch directory from which they are finished."""

    def __init__(
        self, source: Path, into: Path, held: Probe, profile: Profile, stamp: Stamp
    ) -> None:
        self.source = source
        self.into = into
        self.held = held
        self.profile = profile
        self.stamp = stamp
        self.video_reasons = video_reasons(held, profile.lines)
        self.reasons = (*self.video_reasons, *audio_reasons(held))
        self.blurhash: str | None = None
        self.scratch = into / _SCRATCH
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)

    def plan(self) -> Plan:
        """What is left to ffmpeg, once a conforming source has been rewritten without it."""
        master: Method | None = "transcode" if self.video_reasons else "copy"
        if not self.reasons:
            try:
                rewrite(self.source, self.scratch / VIDEO, self.stamp)
                master = None
            except NotRewritable:
                (self.scratch / VIDEO).unlink()
        outputs = tuple(output for output in self.profile.outputs if self._is_smaller(output))
        return Plan(source=self.held, master=master, lines=self.profile.lines, outputs=outputs)

    def _is_smaller(self, output: Output) -> bool:
        if not isinstance(output, Rendition) or output.codec != self.held.fourcc:
            return True
        return output.lines < self.held.lines

    def verify(self, plan: Plan) -> None:
        """Return if each output in the scratch directory is what was asked for."""
        copied = plan.master != "transcode"
        master = self.scratch / VIDEO
        proof.video(master, self.held, copied=copied, lines=self.profile.lines)
        for output in plan.outputs:
            proof.output(self.scratch / output.file, output, self.held)

    def finish(self, plan: Plan) -> tuple[Path, ...]:
        """Tag every output on its way to where it belongs; the video first."""
        files = [self._finished(VIDEO, tagged=plan.master is None)]
        for output in plan.outputs:
            if isinstance(output, Hls):
                continue
            if isinstance(output, Blur):
                pixels = (self.scratch / output.file).read_bytes()
                self.blurhash = blurhash(pixels, output.side, output.side)
                continue
            files.append(self._finished(output.file))
            if isinstance(output, Storyboard):
                files.append(self._index(output))
        shutil.rmtree(self.scratch)
        return tuple(files)

    def rungs(self, plan: Plan) -> list[Path]:
        """The finished H.264 renditions, the video itself where there is none."""
        renditions = [output for output in plan.outputs if isinstance(output, Rendition)]
        made = [output.file for output in renditions if output.codec == "avc1"]
        return [self.into / name for name in made or [VIDEO]]

    def sign(
        self, files: tuple[Path, ...], tags: Tags, credentials: Credentials | None
    ) -> tuple[str | None, tuple[Path, ...]]:
        """How the video validates, and the files; a vendor's credentials are never dropped."""
        if credentials:
            vendor = self.source if self.held.has_c2pa else None
            copied = not self.reasons
            return sign_delivery(files, tags, credentials, vendor=vendor, copied=copied), files
        if self.held.has_c2pa:
            shutil.copyfile(self.source, self.into / UNTOUCHED)
            files = (*files, self.into / UNTOUCHED)
        return None, files

    def _finished(self, name: str, *, tagged: bool = False) -> Path:
        made, place = self.scratch / name, self.into / name
        if made.suffix == ".mp4" and not tagged:
            try:
                rewrite(made, place, self.stamp)
            except NotRewritable as refused:
                raise proof.unproven(str(refused)) from refused
            return place
        if made.suffix != ".mp4":
            tag(made, self.stamp.xmp)
        return made.replace(place)

    def _index(self, board: Storyboard) -> Path:
        _, height = size_of(self.into / board.file)
        path = self.into / board.index
        path.write_text(storyboard.index(board, self.held.duration, height), encoding="utf-8")
        return path


def _require_tags(files: tuple[Path, ...], pairs: Mapping[str, str]) -> None:
    """Return if the tags of every video read back, and each can be streamed."""
    for path in files:
        if path.suffix == ".mp4":
            found = read_tags(path)
            if any(found.get(key) != value for key, value in pairs.items()):
                raise proof.unproven(f"the tags of {path.name} do not read back")
            made = probe(path)
            if not made.faststart or made.fragmented:
                raise proof.unproven(f"the header of {path.name} does not come first")


def _require_encoders(profile: Profile, ffmpeg: Ffmpeg) -> None:
    if lacking := profile.encoders & ffmpeg.lacks:
        raise Permanent(
            "media_unsupported",
            f"{ffmpeg.path} has no encoder {', '.join(sorted(lacking))}, which the delivery"
            f" profile {profile.name} needs; set FALHOOK_FFMPEG or FALHOOK_PROFILE",
        )


def _bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir() if path.is_file())
