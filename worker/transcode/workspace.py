"""The making of one clip's outputs: in a scratch directory, verified there, then put in place."""

import shutil
from dataclasses import replace
from pathlib import Path

from worker.formats.images import size_of, tag
from worker.formats.mp4 import NotRewritable, ProbeResult, Stamp, credentials_of, read_tags, rewrite
from worker.formats.tags import Tags
from worker.formats.xmp import LINK, without
from worker.provenance import Signer, SourceCredentials, sign_delivery
from worker.transcode import storyboard, verification
from worker.transcode.blurhash import blurhash
from worker.transcode.conformance import audio_reasons, video_reasons
from worker.transcode.failed_extras import FailedExtras
from worker.transcode.outputs import VIDEO, BlurHash, Hls, Output, Rendition, Still, Storyboard
from worker.transcode.plan import Method, Plan
from worker.transcode.profiles import Profile

UNTOUCHED = "original.mp4"  # the source itself, where its credentials would be lost otherwise
_SCRATCH = ".made"  # where outputs lie until they are verified


class Workspace:
    """The making of one clip's outputs, in a scratch directory from which they are finished."""

    def __init__(
        self, source: Path, into: Path, held: ProbeResult, profile: Profile, stamp: Stamp
    ) -> None:
        self.source = source
        self.into = into
        self.held = held
        self.profile = profile
        self.stamp = stamp
        # Credentials elsewhere are of the video, and of nothing that is made of it.
        self.others = replace(stamp, xmp=without(stamp.xmp, LINK))
        self.video_reasons = video_reasons(held, profile.lines)
        self.reasons = (*self.video_reasons, *audio_reasons(held))
        self.losses = FailedExtras(profile)
        self.skipped: tuple[str, ...] = ()
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
        self.skipped = tuple(each.file for each in self.profile.outputs if each not in outputs)
        return Plan(source=self.held, master=master, lines=self.profile.lines, outputs=outputs)

    def _is_smaller(self, output: Output) -> bool:
        """Whether it is something else than the video, which is H.264 whatever its source is."""
        if not isinstance(output, Rendition) or output.codec != "avc1":
            return True
        return output.lines < min(self.held.lines, self.profile.lines or self.held.lines)

    def missed(self, plan: Plan) -> Plan | None:
        """Another run, of the first frame, for stills at whose moment the clip has no more frames.

        Its edit list may show fewer than it holds.
        """
        stills = [output for output in plan.outputs if isinstance(output, Still | BlurHash)]
        lost = tuple(replace(still, at=0.0) for still in stills if not self._has_frame(still))
        return replace(plan, master=None, outputs=lost) if lost else None

    def _has_frame(self, still: Still | BlurHash) -> bool:
        path = self.scratch / still.file
        if isinstance(still, BlurHash) or not path.is_file():
            return path.is_file() and path.stat().st_size > 0
        return any(size_of(path))

    def verify(self, plan: Plan) -> None:
        """Return if each output in the scratch directory is what was asked for, or a loss."""
        copied = plan.master != "transcode"
        master = self.scratch / VIDEO
        verification.verify_video(master, self.held, copied=copied, lines=self.profile.lines)
        for output in self.losses.without_failed(plan).outputs:
            with self.losses.allow_failure(output):
                verification.verify_output(self.scratch / output.file, output, self.held)

    def finish(self, plan: Plan) -> tuple[Path, ...]:
        """Tag every output on its way to where it belongs; the video first."""
        files = [self._finished(VIDEO, tagged=plan.master is None)]
        for output in plan.outputs:
            if isinstance(output, Hls):
                continue
            if isinstance(output, BlurHash):
                pixels = (self.scratch / output.file).read_bytes()
                self.blurhash = blurhash(pixels, output.side, output.side)
                continue
            with self.losses.allow_failure(output):
                files.append(self._finished(output.file))
                if isinstance(output, Storyboard):
                    files.append(self._index(output))
        shutil.rmtree(self.scratch)
        return tuple(files)

    def rungs(self, plan: Plan) -> list[Path]:
        """The finished H.264 renditions, the video itself in place of those it has no lines for."""
        asked = [output for output in self.profile.outputs if isinstance(output, Rendition)]
        h264 = [output for output in asked if output.codec == "avc1"]
        made = dict.fromkeys(output.file if output in plan.outputs else VIDEO for output in h264)
        return [self.into / name for name in made or [VIDEO]]

    def vendor(self, credentials: Signer | None) -> SourceCredentials | None:
        """What becomes of the credentials of the source, if it has some."""
        places = credentials_of(self.source)
        if not places and LINK not in read_tags(self.source):
            return None
        if not credentials:
            return SourceCredentials(UNTOUCHED)
        return SourceCredentials.of(self.source, places, credentials.anchors)

    def sign(
        self,
        files: tuple[Path, ...],
        tags: Tags,
        credentials: Signer | None,
        vendor: SourceCredentials | None,
    ) -> tuple[str | None, tuple[Path, ...]]:
        """How the video validates, and the files; a vendor's credentials are never dropped."""
        signed = None
        if credentials:
            parent = self.source if vendor and vendor.is_parent else None
            copied = not self.reasons
            signed = sign_delivery(files, tags, credentials, vendor=parent, copied=copied)
        if vendor and not vendor.is_parent:
            shutil.copyfile(self.source, self.into / UNTOUCHED)
            files = (*files, self.into / UNTOUCHED)
        return signed, files

    def _finished(self, name: str, *, tagged: bool = False) -> Path:
        made, place = self.scratch / name, self.into / name
        if made.suffix == ".mp4" and not tagged:
            try:
                rewrite(made, place, self.stamp if name == VIDEO else self.others)
            except NotRewritable as refused:
                raise verification.verification_failed(str(refused)) from refused
            return place
        if made.suffix != ".mp4":
            tag(made, self.others.xmp)
        return made.replace(place)

    def _index(self, board: Storyboard) -> Path:
        _, height = size_of(self.into / board.file)
        path = self.into / board.index
        path.write_text(storyboard.index(board, self.held.ends, height), encoding="utf-8")
        return path
