"""Tagging of verified outputs, each on its way from the scratch directory to its place."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from worker.formats.images import size_of, tag
from worker.formats.mp4 import NotRewritable, Stamp, probe, rewrite
from worker.formats.xmp import LINK, without
from worker.transcode import storyboard
from worker.transcode.blurhash import blurhash
from worker.transcode.failed_extras import FailedExtras
from worker.transcode.outputs import VIDEO, BlurHash, Hls, Rendition, Storyboard
from worker.transcode.plan import Plan
from worker.transcode.profiles import Profile
from worker.transcode.verification import verification_failed
from worker.transcode.web_limits import is_within_limits
from worker.transcode.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Tagged files, the video first; `failed` says why extras are missing, by file name."""

    files: tuple[Path, ...]
    failed: Mapping[str, str]
    blurhash: str | None = None


def copy_tagged(path: Path, target: Path, stamp: Stamp) -> bool:
    """Copy the packets of the MP4 at `path` to `target`, with this stamp.

    Return False, and leave no file, if the MP4 cannot be rewritten without ffmpeg.
    """
    try:
        rewrite(path, target, stamp)
    except NotRewritable:
        target.unlink()
        return False
    return True


def finish(plan: Plan, profile: Profile, stamp: Stamp, workspace: Workspace) -> Finished:
    """Tag every output and move it to its place; delete the scratch directory."""
    failed, derived, digest = FailedExtras(profile), derived_stamp(stamp), None
    if plan.master is None:
        files = [(workspace.scratch / VIDEO).replace(workspace.into / VIDEO)]
    else:
        files = [_finish_file(VIDEO, stamp, workspace)]
    for output in plan.outputs:
        match output:
            case Hls():
                continue
            case BlurHash():
                pixels = (workspace.scratch / output.file).read_bytes()
                digest = blurhash(pixels, output.side, output.side)
            case _:
                with failed.allow_failure(output):
                    files.append(_finish_file(output.file, derived, workspace))
                    if isinstance(output, Storyboard):
                        files.append(_write_index(output, plan.source.ends, workspace.into))
    shutil.rmtree(workspace.scratch)
    return Finished(files=tuple(files), failed=failed.reasons, blurhash=digest)


def derived_stamp(stamp: Stamp) -> Stamp:
    """Return the stamp of files derived from the video.

    A link to credentials elsewhere applies to the video alone.
    """
    return replace(stamp, xmp=without(stamp.xmp, LINK))


def rungs(plan: Plan, profile: Profile, into: Path) -> list[Path]:
    """Return the finished H.264 renditions, and the video if it replaces one or is fit for the web.

    A video that was copied may have too many bits for a rung, or too few keyframes.
    """
    renditions = [output for output in profile.outputs if isinstance(output, Rendition)]
    h264 = [output for output in renditions if output.codec == "avc1"]
    names = [output.file if output in plan.outputs else VIDEO for output in h264]
    if plan.lines is not None or is_within_limits(probe(into / VIDEO)):
        names = [VIDEO, *names]
    return [into / name for name in dict.fromkeys(names or [VIDEO])]


def _finish_file(name: str, stamp: Stamp, workspace: Workspace) -> Path:
    output, target = workspace.scratch / name, workspace.into / name
    if output.suffix != ".mp4":
        tag(output, stamp.xmp)
        return output.replace(target)
    try:
        rewrite(output, target, stamp)
    except NotRewritable as error:
        raise verification_failed(str(error)) from error
    return target


def _write_index(board: Storyboard, duration: float, into: Path) -> Path:
    _, height = size_of(into / board.file)
    path = into / board.index
    path.write_text(storyboard.index(board, duration, height), encoding="utf-8")
    return path
