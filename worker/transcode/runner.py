"""The runs of ffmpeg for a plan: a single one, unless it fails."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from worker.errors import Permanent
from worker.formats.errors import MediaError
from worker.formats.images import size_of
from worker.formats.mp4 import ProbeResult
from worker.transcode.command import command
from worker.transcode.failed_extras import FailedExtras, would_fail_again
from worker.transcode.ffmpeg import Advance, Ffmpeg, ResourceUsage
from worker.transcode.outputs import BlurHash, Hls, Look, Output, Still, Watch
from worker.transcode.plan import Plan
from worker.transcode.poster import later_moments, shows_something
from worker.transcode.profiles import Profile
from worker.transcode.storyboard import sprite
from worker.transcode.tone_mapping import FILTERS

Report = Callable[[Advance], None]
_LOOK = Look()
WATCH = Watch()


def run_plan(
    plan: Plan,
    profile: Profile,
    path: Path,
    directory: Path,
    ffmpeg: Ffmpeg,
    *,
    usage: ResourceUsage,
    progress: Report | None = None,
) -> dict[str, str]:
    """Write the planned outputs of the clip at `path` to `directory`.

    Add what the runs take to `usage`. Return why extras failed, by file name. Raises what
    `Ffmpeg.run` raises.
    """

    def run(part: Plan, progress: Report | None, into: Path = directory) -> None:
        usage.add_child(_run(part, path, into, ffmpeg, progress))

    looked = _with_watch(_with_look(plan))
    failed = _run_or_split(looked, profile, run, progress)
    if stills := _missing_stills(plan.without(failed), directory):
        failed |= _run_or_split(stills, profile, run, None)
    elif _LOOK in looked.outputs and not _shows_something(directory):
        _try_later(plan.without(failed), directory, run)
    failed.pop(_LOOK.file, None)
    sprites = FailedExtras(profile)
    for board in plan.without(failed).boards:
        with sprites.allow_failure(board):
            usage.add_child(sprite(board, directory, plan.source.ends, ffmpeg))
    return failed | sprites.reasons


def _run_or_split(
    plan: Plan,
    profile: Profile,
    run: Callable[[Plan, Report | None], None],
    progress: Report | None,
) -> dict[str, str]:
    """Run the plan as a whole; if that fails permanently, run each extra separately."""
    failed = FailedExtras(profile)
    try:
        run(plan, progress)
    except (Permanent, MediaError) as failure:
        extras = [output for output in _encoded(plan) if profile.is_extra(output)]
        if not extras or not would_fail_again(failure):
            raise
        needed = _only(plan, [output for output in _encoded(plan) if output not in extras])
        if needed.master or _encoded(needed):
            run(needed, progress)
        for output in extras:
            with failed.allow_failure(output):
                run(replace(_only(plan, [output]), master=None), None)
    return failed.reasons


def _run(
    plan: Plan, path: Path, directory: Path, ffmpeg: Ffmpeg, progress: Report | None
) -> ResourceUsage:
    fitted = ffmpeg.fitted(plan.source, len(plan.outputs) + 1)
    return fitted.run(
        command(plan, fitted),
        source=path,
        cwd=directory,
        duration=plan.source.duration,
        seek=plan.seek,
        progress=progress,
    )


def _with_look(plan: Plan) -> Plan:
    """Return the plan with a look at the moment of its stills, unless that is given."""
    if plan.poster is not None or not _stills(plan):
        return plan
    return replace(plan, outputs=(*plan.outputs, _LOOK))


def _with_watch(plan: Plan) -> Plan:
    """Return the plan with a watch for black and frozen frames, if all frames are decoded."""
    return replace(plan, outputs=(*plan.outputs, WATCH)) if plan.decodes_all else plan


def _stills(plan: Plan) -> list[Still | BlurHash]:
    return [output for output in plan.outputs if isinstance(output, Still | BlurHash)]


def _shows_something(directory: Path) -> bool:
    path = directory / _LOOK.file
    return path.is_file() and shows_something(path.read_bytes())


def _try_later(plan: Plan, directory: Path, run: Callable[[Plan, None, Path], None]) -> None:
    """Replace the stills by those of the first later moment that shows something, if any does."""
    stills = replace(plan, master=None, outputs=(*_stills(plan), _LOOK))
    for moment in later_moments(plan.source):
        with tempfile.TemporaryDirectory(prefix=".stills-", dir=directory) as scratch:
            later = replace(stills, poster=moment)
            run(later, None, Path(scratch))
            if _shows_something(Path(scratch)) and not _missing_stills(later, Path(scratch)):
                for still in _stills(plan):
                    Path(scratch, still.file).replace(directory / still.file)
                return


def _encoded(plan: Plan) -> list[Output]:
    """Return the outputs that ffmpeg encodes; a ladder is built from them afterwards."""
    return [output for output in plan.outputs if not isinstance(output, Hls)]


def _only(plan: Plan, outputs: list[Output]) -> Plan:
    """Return the plan with these outputs, and with its ladder, which determines keyframes."""
    ladder = [output for output in plan.outputs if isinstance(output, Hls)]
    return replace(plan, outputs=(*outputs, *ladder))


def _missing_stills(plan: Plan, directory: Path) -> Plan | None:
    """Plan a run for stills without a frame at their moment, which take the first frame instead.

    The clip's edit list may show fewer frames than it has.
    """
    missing = [still for still in _stills(plan) if not _has_frame(still, directory / still.file)]
    outputs = tuple(replace(still, at=0.0) for still in missing)
    return replace(plan, master=None, outputs=outputs, poster=None) if outputs else None


def _has_frame(still: Still | BlurHash, path: Path) -> bool:
    if isinstance(still, BlurHash) or not path.is_file():
        return path.is_file() and path.stat().st_size > 0
    return any(size_of(path))


def require_capabilities(ffmpeg: Ffmpeg, profile: Profile, source: ProbeResult) -> None:
    """Raise `Permanent` (media_unsupported) if ffmpeg lacks an encoder or filter it needs here."""
    needed = {
        f"encoder {name}": f"the delivery profile {profile.name}" for name in profile.encoders
    }
    if beyond := source.colour.beyond_sdr:
        needed |= {f"filter {name}": f"a source in {beyond}" for name in FILTERS}
    if source.interlaced:
        needed["filter bwdif"] = "an interlaced source"
    for capability, purpose in sorted(needed.items()):
        if capability.split()[1] in ffmpeg.lacks:
            is_encoder = capability.startswith("encoder")
            raise Permanent(
                "media_unsupported",
                f"{ffmpeg.path} has no {capability}, which {purpose} needs; set FALHOOK_FFMPEG to"
                " an ffmpeg that has it" + (", or change FALHOOK_PROFILE" if is_encoder else ""),
            )
