"""The runs of ffmpeg that make what is planned: one, unless that fails."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from worker.errors import Permanent
from worker.formats.errors import MediaError
from worker.formats.mp4 import ProbeResult
from worker.transcode.command import command
from worker.transcode.failed_extras import is_of_the_clip
from worker.transcode.ffmpeg import Advance, Ffmpeg
from worker.transcode.metering import Cost
from worker.transcode.outputs import Hls, Output
from worker.transcode.plan import Plan
from worker.transcode.profiles import Profile
from worker.transcode.storyboard import sprite
from worker.transcode.tone_mapping import FILTERS
from worker.transcode.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Runs that make outputs in the scratch directory of a clip's making, and what they cost."""

    work: Workspace
    ffmpeg: Ffmpeg
    cost: Cost
    progress: Callable[[Advance], None] | None = None

    def make(self, plan: Plan) -> None:
        """Make what is planned; extras that cannot be made are among the losses.

        Raises what `Ffmpeg.run` raises.
        """
        self._whole(plan, self.progress)
        if rest := self.work.missed(self.work.losses.without_failed(plan)):
            self._whole(rest, None)
        for board in self.work.losses.without_failed(plan).boards:
            with self.work.losses.allow_failure(board):
                held = self.work.held
                self.cost.child(sprite(board, self.work.scratch, held.ends, self.ffmpeg))

    def _whole(self, plan: Plan, progress: Callable[[Advance], None] | None) -> None:
        """In one run; where that fails for good, each extra in a run of its own."""
        try:
            self._run(plan, progress)
        except (Permanent, MediaError) as failure:
            extras = [output for output in _made(plan) if self.work.profile.is_extra(output)]
            if not extras or not is_of_the_clip(failure):
                raise
            needed = _only(plan, [output for output in _made(plan) if output not in extras])
            if needed.master or _made(needed):
                self._run(needed, progress)
            for output in extras:
                with self.work.losses.allow_failure(output):
                    self._run(replace(_only(plan, [output]), master=None), None)

    def _run(self, plan: Plan, progress: Callable[[Advance], None] | None) -> None:
        fitted = self.ffmpeg.fitted(self.work.held, len(plan.outputs) + 1)
        used = fitted.run(
            command(plan, fitted),
            source=self.work.source,
            cwd=self.work.scratch,
            duration=self.work.held.duration,
            seek=plan.seek,
            progress=progress,
        )
        self.cost.child(used)


def _made(plan: Plan) -> list[Output]:
    """The outputs that ffmpeg makes; a ladder is made of them."""
    return [output for output in plan.outputs if not isinstance(output, Hls)]


def _only(plan: Plan, outputs: list[Output]) -> Plan:
    """The plan with no other outputs; a ladder stays, for whose sake there are keyframes."""
    ladder = [output for output in plan.outputs if isinstance(output, Hls)]
    return replace(plan, outputs=(*outputs, *ladder))


def require_capabilities(ffmpeg: Ffmpeg, profile: Profile, held: ProbeResult) -> None:
    """Return if the program has what the profile and the source need.

    Raises `Permanent` (media_unsupported), which names what is lacking and the setting.
    """
    needed = {
        f"encoder {name}": f"the delivery profile {profile.name}" for name in profile.encoders
    }
    if beyond := held.colour.beyond_sdr:
        needed |= {f"filter {name}": f"a source in {beyond}" for name in FILTERS}
    if held.interlaced:
        needed["filter bwdif"] = "an interlaced source"
    for what, why in sorted(needed.items()):
        if what.split()[1] in ffmpeg.lacks:
            raise Permanent(
                "media_unsupported",
                f"{ffmpeg.path} has no {what}, which {why} needs; set FALHOOK_FFMPEG to one that"
                " has it" + (", or another FALHOOK_PROFILE" if what.startswith("encoder") else ""),
            )
