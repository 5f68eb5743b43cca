"""From what fal rendered to what is published: a video that plays everywhere, and its pictures.

The order is: preflight, copy or encode with every other output in one run, verify each, tag each,
sign each where there are credentials to sign with; nothing touches a file after that. A stream
that conforms is never encoded again: its packets are the source's.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from worker.formats.mp4 import probe, read_tags
from worker.formats.tags import Tags
from worker.provenance import Signer
from worker.transcode import verification
from worker.transcode.ffmpeg import Advance, Ffmpeg
from worker.transcode.hls import ladder
from worker.transcode.metering import Meter
from worker.transcode.plan import Plan
from worker.transcode.profiles import ORIGINAL, Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.runner import Runs, require_capabilities
from worker.transcode.tone_mapping import with_stream_colours
from worker.transcode.workspace import UNTOUCHED, Workspace

__all__ = ["UNTOUCHED", "TranscodeResult", "Tags", "transcode"]


def transcode(
    source: Path,
    into: Path,
    tags: Tags,
    *,
    ffmpeg: Ffmpeg,
    profile: Profile = ORIGINAL,
    credentials: Signer | None = None,
    progress: Callable[[Advance], None] | None = None,
    meter: Meter | None = None,
) -> TranscodeResult:
    """Make all that `profile` asks of the clip `source`, in the directory `into`, and check it.

    Afterwards the files lie there complete, tagged, of the source's length, but for extras that
    cannot be made of it; after a failure nothing there may be used. A `source` whose headers are
    broken or hostile is refused before ffmpeg is started. `progress` is told at most twice a
    second, and fraction 1 when all is checked. `meter` measures what each part of the work costs.

    Raises `Permanent` (media_invalid, media_unsupported, media_timeout, signing_refused) and
    `Transient` (media_timeout, media_crashed, signing_failed, timestamp_unavailable).
    """
    meter = meter or Meter()
    with meter.measure("preflight") as cost:
        held = with_stream_colours(probe(source), source, ffmpeg, cost)
        stamp = tags.stamp(theirs := read_tags(source))
    require_capabilities(ffmpeg, profile, held)
    work = Workspace(source, into, held, profile, stamp)
    plan = _made(work, ffmpeg, progress, meter)
    files = _finished(work, plan, ffmpeg, meter)
    with meter.measure("verify tags"):
        _require_tags(files, tags.pairs(theirs))
    with meter.measure("sign", bytes_in=_bytes(into)) as cost:
        vendor = work.vendor(credentials)
        signed, files = work.sign(files, tags, credentials, vendor)
        cost.bytes_out = _bytes(into)
    if progress:
        progress(Advance(fraction=1.0, frames=held.frames))
    return TranscodeResult(
        files=files,
        method="transcode" if work.reasons else "copy",
        profile=profile.name,
        probe=probe(files[0]),
        source=held,
        reasons=work.reasons,
        skipped=work.skipped,
        failed=work.losses.why,
        blurhash=work.blurhash,
        signed=signed,
        vendor=vendor,
        cost=meter.costs,
    )


def _made(
    work: Workspace, ffmpeg: Ffmpeg, progress: Callable[[Advance], None] | None, meter: Meter
) -> Plan:
    """What was made of the plan, once all of it lies verified in the scratch directory."""
    with meter.measure("copy", bytes_in=work.held.size) as cost:
        plan = work.plan()
        cost.bytes_out = _bytes(work.scratch)
    with meter.measure("ffmpeg", bytes_in=work.held.size) as cost:
        Runs(work=work, ffmpeg=ffmpeg, cost=cost, progress=progress).make(plan)
        cost.bytes_out = _bytes(work.scratch) - meter.costs["copy"].bytes_out
    with meter.measure("verify"):
        work.verify(plan)
    return work.losses.without_failed(plan)


def _finished(work: Workspace, plan: Plan, ffmpeg: Ffmpeg, meter: Meter) -> tuple[Path, ...]:
    """The tagged files in their place, and the ladder of them."""
    with meter.measure("tag", bytes_in=_bytes(work.scratch)) as cost:
        files = work.finish(plan)
        cost.bytes_out = _bytes(work.into)
    if asked := work.profile.hls:
        with meter.measure("ladder") as cost, work.losses.allow_failure(asked):
            rungs, stamp = work.rungs(work.losses.without_failed(plan)), work.others
            files += ladder(rungs, asked, work.into, ffmpeg, stamp=stamp, cost=cost)
    return files


def _require_tags(files: tuple[Path, ...], pairs: Mapping[str, str]) -> None:
    """Return if the tags of every video read back, and each can be streamed."""
    for path in files:
        if path.suffix in {".mp4", ".m4s"}:
            found = read_tags(path)
            if any(found.get(key) != value for key, value in pairs.items()):
                raise verification.verification_failed(f"the tags of {path.name} do not read back")
        if path.suffix == ".mp4":
            made = probe(path)
            if not made.faststart or made.fragmented:
                raise verification.verification_failed(
                    f"the header of {path.name} does not come first"
                )


def _bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir() if path.is_file())
