"""The one ffmpeg command that makes every output of a clip: its frames are decoded once.

The filters form a tree. Its root is the source; whatever is smaller than a rendition is scaled
down from that rendition, and each frame is scaled as few times as the profile allows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from worker.conform import audio_reasons
from worker.ffmpeg import Ffmpeg
from worker.mp4 import Probe
from worker.profiles import H264, VIDEO, Blur, Hls, Output, Preview, Rendition, Still, Storyboard

Method = Literal["copy", "transcode"]
_ENCODE_AUDIO = ("-c:a", "aac", "-b:a", "160k")
# 4:2:0 has no odd sizes: the last column and row go, nothing is resampled.
_EVEN = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0,format=yuv420p"
_OVER_BLACK = "premultiply=inplace=1"
_WITH_ALPHA = frozenset({"ap4h"})  # ProRes 4444
_BARE = ("-map_metadata", "-1", "-map_chapters", "-1", "-dn", "-sn")
# Pictures are BT.601 whatever the video is: JFIF's in full range, WebP's in limited.
_COLOURS = {
    "mjpeg": "out_color_matrix=bt601:out_range=full,setsar=1,format=yuvj420p",
    "libwebp": "out_color_matrix=bt601:out_range=limited,setsar=1,format=yuv420p",
}
# SVT-AV1 counts its own threads, and takes all processors where none are named.
_OWN_THREADS = "libsvtav1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What ffmpeg is to make: `master` is None where video.mp4 is made without it."""

    source: Probe
    master: Method | None
    lines: int | None
    outputs: tuple[Output, ...]

    @property
    def keyframes(self) -> list[str]:
        """Options that make a keyframe where each segment of a ladder begins."""
        ladder = next((output for output in self.outputs if isinstance(output, Hls)), None)
        every = f"expr:gte(t,n_forced*{ladder.seconds})" if ladder else ""
        return ["-force_key_frames", every] if every else []


@dataclass(slots=True)
class _Node:
    """Filters, the name of what comes out for an output, and the nodes that go on from there."""

    filters: str
    label: str = ""
    children: "list[_Node]" = field(default_factory=list)


def command(plan: Plan, ffmpeg: Ffmpeg) -> list[str]:
    """ffmpeg's arguments after its input; the files' names are those of the profile."""
    graph = ";".join(_chains(_tree(plan), "0:V:0", iter(range(1000))))
    arguments = ["-filter_complex", graph] if graph else []
    if plan.master:
        arguments += _master(plan, ffmpeg)
    for output in plan.outputs:
        arguments += _output(output, plan, ffmpeg)
    return arguments


def _tree(plan: Plan) -> _Node:
    root = _Node(_OVER_BLACK if plan.source.fourcc in _WITH_ALPHA else "")
    if plan.master == "transcode":
        limited = plan.lines is not None and plan.source.lines > plan.lines
        filters = f"{_scaled(plan.lines or 0)},format=yuv420p" if limited else _EVEN
        root.children.append(_Node(filters, label=VIDEO))
    parent = root
    renditions = [output for output in plan.outputs if isinstance(output, Rendition)]
    for rendition in sorted(renditions, key=lambda rendition: -rendition.lines):
        lines = min(rendition.lines, plan.source.lines // 2 * 2)
        node = _Node(f"{_scaled(lines)},format=yuv420p", label=rendition.file)
        parent.children.append(node)
        parent = node
    for output in plan.outputs:
        match output:
            case Still():
                frame = _frame(plan.source, output.at)
                filters = f"{frame},{_narrowed(output.width)}:{_COLOURS[output.encoder]}"
                root.children.append(_Node(filters, label=output.file))
            case Blur():
                side = f"{_frame(plan.source, 1.0)},scale={output.side}:{output.side}"
                root.children.append(_Node(f"{side},format=rgb24", label=output.file))
            case Preview():
                # fps before trim: the other way round a gap between frames is filled first.
                filters = f"fps={output.fps},trim=end={output.seconds},{_narrowed(output.width)}"
                node = _Node(f"{filters},setsar=1,format=yuv420p", label=output.file)
                parent.children.append(node)
            case Storyboard():
                parent.children.append(_Node(_sprite(plan.source, output), label=output.file))
    return root


def _chains(node: _Node, source: str, numbers: Iterator[int]) -> Iterator[str]:
    """The graph's text; a pad that several read from is split, since ffmpeg lets only one."""
    ends = [node.label] if node.label else []
    pads = [f"p{next(numbers)}" for _ in node.children]
    filters = [node.filters] if node.filters else []
    if len(ends) + len(pads) > 1:
        filters.append(f"split={len(ends) + len(pads)}")
    if filters:
        yield f"[{source}]{','.join(filters)}" + "".join(f"[{end}]" for end in (*ends, *pads))
    elif pads:
        pads = [source]
    for child, pad in zip(node.children, pads, strict=True):
        yield from _chains(child, pad, numbers)


def _scaled(lines: int) -> str:
    """To this many lines, square pixels, even sizes."""
    wide = "gte(iw*sar,ih)"
    width = f"if({wide},round({lines}*iw*sar/ih/2)*2,{lines})"
    height = f"if({wide},{lines},round({lines}*ih/(iw*sar)/2)*2)"
    return f"scale=w='{width}':h='{height}':flags=bicubic,setsar=1"


def _narrowed(width: int) -> str:
    """To at most this many pixels across, square pixels, even sizes."""
    across = f"max(2,trunc(min({width},iw*sar)/2)*2)"
    return f"scale=w='{across}':h='max(2,trunc(ow*ih/(iw*sar)/2)*2)'"


def _frame(source: Probe, at: float) -> str:
    """One frame and no more: what follows it would be scaled in vain."""
    number = int(min(at * source.fps, source.frames / 2))
    return f"select=gte(n\\,{number})*eq(selected_n\\,0)"


def _sprite(source: Probe, board: Storyboard) -> str:
    every = source.duration / (board.columns * board.rows)
    height = "max(2,trunc(ow*ih/(iw*sar)/2)*2)"
    fit = f"scale=w={board.width}:h='{height}':{_COLOURS['mjpeg']}"
    tiles = f"tile={board.columns}x{board.rows}"
    return f"fps=fps=1/{every:.6f}:start_time=0:round=near,{fit},{tiles}"


def _master(plan: Plan, ffmpeg: Ffmpeg) -> list[str]:
    if plan.master == "copy":
        video = ["-map", "0:V:0", "-c:v", "copy"]
    else:
        lines = min(plan.source.lines, plan.lines or plan.source.lines)
        video = ["-map", f"[{VIDEO}]", *H264.options(lines), "-threads", str(ffmpeg.threads)]
        video += plan.keyframes
    return [*video, *_sound(plan), *_BARE, *_bounds(plan, ffmpeg), "-f", "mp4", VIDEO]


def _output(output: Output, plan: Plan, ffmpeg: Ffmpeg) -> list[str]:
    mapped = ["-map", f"[{output.file}]"]
    bounds = [*_BARE, *_bounds(plan, ffmpeg)]
    match output:
        case Rendition():
            lines = min(output.lines, plan.source.lines)
            encoder = [*output.encoding.options(lines), *_threads(output.encoding.encoder, ffmpeg)]
            sound = _sound(plan)
            return [*mapped, *encoder, *plan.keyframes, *sound, *bounds, "-f", "mp4", output.file]
        case Preview():
            video = [*output.encoding.options(output.width), "-threads", str(ffmpeg.threads)]
            frames = ["-frames:v", str(int(output.seconds * output.fps))]
            return [*mapped, *video, *bounds, *frames, "-f", "mp4", output.file]
        case Still():
            encoder = ["-c:v", output.encoder, *output.arguments]
        case Storyboard():
            encoder = ["-c:v", "mjpeg", "-q:v", "4"]
        case Blur():
            raw = ["-frames:v", "1", "-c:v", "rawvideo", "-f", "rawvideo", output.file]
            return [*mapped, *_BARE, *raw]
        case Hls():
            return []  # made of finished renditions
    picture = ["-frames:v", "1", *encoder, "-update", "1", "-f", "image2", output.file]
    return [*mapped, *_BARE, *picture]


def _sound(plan: Plan) -> list[str]:
    copied = not audio_reasons(plan.source)
    return ["-map", "0:a:0?", *(("-c:a", "copy") if copied else _ENCODE_AUDIO)]


def _bounds(plan: Plan, ffmpeg: Ffmpeg) -> list[str]:
    return ["-t", f"{plan.source.duration + 1:.3f}", "-fs", str(ffmpeg.limits.file_size)]


def _threads(encoder: str, ffmpeg: Ffmpeg) -> list[str]:
    if encoder == _OWN_THREADS:
        return ["-svtav1-params", f"lp={ffmpeg.threads}"]
    return ["-threads", str(ffmpeg.threads)]
