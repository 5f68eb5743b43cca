"""Transcoding of one rendered clip: a video that plays everywhere, and its stills and renditions.

The stages are preflight, copy, one run of ffmpeg for every output, verify, tag, and sign. Nothing
touches a file after it is signed. A stream that conforms is never encoded again: its packets are
the source's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from worker.formats.mp4 import Stamp, probe, read_tags
from worker.formats.tags import Tags
from worker.provenance import Signer
from worker.transcode.conformance import encoding_reasons
from worker.transcode.failed_extras import FailedExtras
from worker.transcode.ffmpeg import Advance, Ffmpeg, ResourceUsage
from worker.transcode.finishing import Finished, copy_tagged, derived_stamp, finish, rungs
from worker.transcode.hls import build_ladder
from worker.transcode.loudness import Sound, measured
from worker.transcode.loudness_target import NO_TARGET, LoudnessTarget
from worker.transcode.metering import Meter
from worker.transcode.normalisation import Normalisation, normalise
from worker.transcode.outputs import VIDEO
from worker.transcode.plan import Plan, plan_outputs, skipped_files
from worker.transcode.poster import AUTO_POSTER, PosterTime
from worker.transcode.profiles import ORIGINAL, Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.runner import WATCH, require_capabilities, run_plan
from worker.transcode.signing import sign_files
from worker.transcode.stream_colour import with_stream_colours
from worker.transcode.stretches import seen
from worker.transcode.verification import verification_failed, verify_plan
from worker.transcode.workspace import Workspace


def transcode(
    path: Path,
    into: Path,
    tags: Tags,
    *,
    ffmpeg: Ffmpeg,
    profile: Profile = ORIGINAL,
    poster: PosterTime = AUTO_POSTER,
    loudness: LoudnessTarget = NO_TARGET,
    signer: Signer | None = None,
    last: bool = False,
    progress: Callable[[Advance], None] | None = None,
    meter: Meter | None = None,
) -> TranscodeResult:
    """Create the profile's outputs of the clip at `path` in the directory `into`.

    Afterwards each file is complete, verified, tagged and, with a `signer`, signed; extras that
    could not be created are missing. After a failure nothing in `into` may be used. A clip whose
    headers are broken or hostile is refused before ffmpeg is started. `poster` is the moment that
    stills show, `loudness` what sound is normalised to. Files that can never be signed are returned
    unsigned, and in the `last` try those that cannot be signed now. `progress` is called at most
    twice a second, and with fraction 1 once everything is verified. `meter` measures each stage.

    Raises `MediaError` and `Permanent` (media_invalid, media_unsupported, media_timeout), and
    `Transient` (media_timeout, media_crashed, signing_failed, timestamp_unavailable).
    """
    meter = meter or Meter()
    with meter.measure("preflight") as usage:
        probed, source_tags = probe(path), read_tags(path)
        stamp = tags.stamp(source_tags)
        workspace = Workspace.create(into)
        movie = workspace.repaired(path, probed)
        source = with_stream_colours(probed, movie, ffmpeg, usage)
    require_capabilities(ffmpeg, profile, source)
    normal = Normalisation()
    if loudness.lufs is not None:
        with meter.measure("loudness") as usage:
            normal = normalise(source, movie, loudness.lufs, profile.social, ffmpeg, usage=usage)
    reasons = (*encoding_reasons(source, profile.lines), *normal.reasons)
    with meter.measure("copy", bytes_in=source.size) as usage:
        copied = not reasons and copy_tagged(movie, workspace.scratch / VIDEO, stamp)
        usage.bytes_out = _bytes(workspace.scratch)
    plan = plan_outputs(source, profile, copied=copied, poster=poster.of(source))
    plan = replace(plan, gain=normal.gain, social_gain=normal.social)
    master = workspace.scratch / VIDEO
    with (
        _sound(master, ffmpeg, ready=copied) as sound_of_master,
        meter.measure("ffmpeg", bytes_in=source.size) as usage,
    ):
        failed = run_plan(
            plan, profile, movie, workspace.scratch, ffmpeg, usage=usage, progress=progress
        )
        usage.bytes_out = _bytes(workspace.scratch) - meter.parts["copy"].bytes_out
    picture = seen(workspace.scratch / WATCH.file, source, failed.pop(WATCH.file, None))
    with meter.measure("verify") as usage:
        failed |= verify_plan(plan.without(failed), profile, workspace.scratch)
        sound = sound_of_master(usage)
    finished = _finish(plan.without(failed), profile, stamp, workspace, ffmpeg, meter=meter)
    with meter.measure("verify tags"):
        _require_tags(finished.files, tags.pairs(source_tags))
    with meter.measure("sign", bytes_in=_bytes(into)) as usage:
        signed = sign_files(finished.files, path, tags, signer, copied=not reasons, last=last)
        usage.bytes_out = _bytes(into)
    if progress:
        progress(Advance(fraction=1.0, frames=source.frames))
    return TranscodeResult(
        files=signed.files,
        method="transcode" if reasons else "copy",
        profile=profile.name,
        probe=probe(signed.files[0]),
        source=source,
        reasons=reasons,
        skipped=skipped_files(source, profile),
        failed={**failed, **finished.failed},
        blurhash=finished.blurhash,
        loudness=sound.loudness,
        normalisation=normal,
        stretches=picture.with_silence(sound.silent, sound.reason),
        signed=signed.validation,
        unsigned=signed.unsigned,
        refusal=signed.refusal,
        source_credentials=signed.source_credentials,
        usage=meter.parts,
    )


@contextmanager
def _sound(
    master: Path, ffmpeg: Ffmpeg, *, ready: bool
) -> Iterator[Callable[[ResourceUsage], Sound]]:
    """Yield what measures the sound of the video `master`, and adds what that takes to a usage.

    A video that is `ready` is measured from now on: the block has another program to wait for.
    """

    def measure(usage: ResourceUsage) -> Sound:
        return measured(probe(master), master, ffmpeg, usage)

    if not ready:
        yield measure
        return
    own = ResourceUsage()
    with ThreadPoolExecutor(1, "sound") as beside:
        begun = beside.submit(measure, own)

        def result(usage: ResourceUsage) -> Sound:
            sound = begun.result()
            usage.add_child(own)
            return sound

        yield result


def _finish(
    plan: Plan,
    profile: Profile,
    stamp: Stamp,
    workspace: Workspace,
    ffmpeg: Ffmpeg,
    *,
    meter: Meter,
) -> Finished:
    """Tag the outputs, move them to their place, and build the ladder from them."""
    into = workspace.into
    with meter.measure("tag", bytes_in=_bytes(workspace.scratch)) as usage:
        finished = finish(plan, profile, stamp, workspace)
        usage.bytes_out = _bytes(into)
    if (hls := profile.hls) is None:
        return finished
    failed, ladder = FailedExtras(profile), tuple[Path, ...]()
    with meter.measure("ladder") as usage, failed.allow_failure(hls):
        videos = rungs(plan.without(finished.failed), profile, into)
        ladder = build_ladder(videos, hls, into, ffmpeg, stamp=derived_stamp(stamp), usage=usage)
    return Finished(
        files=(*finished.files, *ladder),
        failed={**finished.failed, **failed.reasons},
        blurhash=finished.blurhash,
    )


def _require_tags(files: Sequence[Path], pairs: Mapping[str, str]) -> None:
    """Raise `Permanent` unless every video has these tags, and its header before its media."""
    for path in files:
        if path.suffix in {".mp4", ".m4s"}:
            tags = read_tags(path)
            if any(tags.get(key) != value for key, value in pairs.items()):
                raise verification_failed(f"the tags of {path.name} do not read back")
        if path.suffix == ".mp4":
            video = probe(path)
            if not video.faststart or video.fragmented:
                raise verification_failed(f"the header of {path.name} does not come first")


def _bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir() if path.is_file())
