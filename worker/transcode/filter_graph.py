"""The filter graph of a plan: every output's frames, from a source that is decoded once.

The filters form a tree. Its root is the source. Outputs that are smaller than a rendition are
scaled from that rendition, so each frame is scaled as few times as the profile allows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from worker.formats.mp4 import ProbeResult
from worker.formats.mp4.video_track import MIN_SIDE
from worker.transcode.outputs import (
    VIDEO,
    BlurHash,
    Look,
    Output,
    Preview,
    Rendition,
    Social,
    Still,
    Stills,
    Storyboard,
    Watch,
)
from worker.transcode.plan import Plan
from worker.transcode.social import constant_rate, lines_of, silence
from worker.transcode.storyboard import sampled
from worker.transcode.stretches import watched
from worker.transcode.tone_mapping import EVEN, assumed, sdr

_DEINTERLACED = "bwdif=mode=send_frame:deint=interlaced"  # each frame that is two fields
_LONGEST = 8192  # pixels a side: SVT-AV1 accepts 8704 lines, and hardware decodes no more
# The largest ratio of height to width of a small output: a JPEG has 65500 pixels a side at most,
# and a sprite is five tiles high. Screens of phones have a ratio of 2.2.
_TALLEST = 4
_OVER_BLACK = "premultiply=inplace=1"
_WITH_ALPHA = frozenset({"ap4h", "ap4x"})  # ProRes 4444 and 4444 XQ
# Pictures are always BT.601, whatever the video is: JFIF's in full range, the others in limited.
# AVIF stores the codes if the build supports that; otherwise readers assume them.
_COLOURS = {
    "mjpeg": "out_color_matrix=bt601:out_range=full,setsar=1,format=yuvj420p",
    "libwebp": "out_color_matrix=bt601:out_range=limited,setsar=1,format=yuv420p",
    "libsvtav1": "out_color_matrix=bt601:out_range=limited,setsar=1,format=yuv420p,"
    "setparams=color_primaries=bt709:color_trc=iec61966-2-1:colorspace=smpte170m",
}


@dataclass(slots=True)
class _Node:
    """Filters, the output that takes their frames, and the nodes that continue from there."""

    filters: str
    label: str = ""
    children: "list[_Node]" = field(default_factory=list)


def graph(plan: Plan) -> str:
    """Return the graph in ffmpeg's syntax, each end named like its output's file."""
    chains = [*_chains(_tree(plan), "0:V:0", iter(range(1000)))]
    if plan.source.audio is None:
        socials = (output for output in plan.outputs if isinstance(output, Social))
        chains += (silence(output, plan.source) for output in socials)
    return ";".join(chains)


def _tree(plan: Plan) -> _Node:
    opaque = _OVER_BLACK if plan.source.fourcc in _WITH_ALPHA else ""
    whole = _DEINTERLACED if plan.source.interlaced else ""
    common = (assumed(plan.source), whole, opaque, sdr(plan.source))
    root = _Node(",".join(filter(None, common)))
    if plan.master == "transcode":
        limited = plan.lines is not None and plan.source.lines > plan.lines
        filters = (
            f"{_scaled(plan.lines or 0)},format=yuv420p" if limited else f"{EVEN},format=yuv420p"
        )
        root.children.append(_Node(filters, label=VIDEO))
    parent = root
    renditions = [output for output in plan.outputs if isinstance(output, Rendition)]
    for rendition in sorted(renditions, key=lambda rendition: -rendition.lines):
        lines = min(rendition.lines, plan.source.lines // 2 * 2)
        node = _Node(f"{_scaled(lines)},format=yuv420p", label=rendition.file)
        parent.children.append(node)
        parent = node
    for output in plan.outputs:
        if isinstance(output, Social):
            root.children.append(_Node(_uploaded(output, plan.source), label=output.file))
            continue
        if isinstance(output, Watch):
            parent.children.append(_Node(watched(output), label=output.file))
            continue
        node = _Node(_filters(output, plan), label=output.file)
        if isinstance(output, Stills):
            root.children.append(node)
        elif isinstance(output, Preview | Storyboard):
            parent.children.append(node)
    return root


def _uploaded(output: Social, source: ProbeResult) -> str:
    return f"{_scaled(lines_of(output, source))},fps={constant_rate(source)},format=yuv420p"


def _filters(output: Output, plan: Plan) -> str:
    """Return the filters of a small output."""
    match output:
        case Still():
            return f"{_frame(plan, output)},{_narrowed(output.width)}:{_COLOURS[output.encoder]}"
        case BlurHash():
            return f"{_frame(plan, output)},scale={output.side}:{output.side},format=rgb24"
        case Look():
            small = f"scale={output.side}:{output.side}:flags=area:out_range=full"
            return f"{_frame(plan, output)},{small},format=gray"
        case Preview():
            # fps comes before trim, which would otherwise fill a gap between frames first.
            # Rounding up keeps the frame of a clip with only one.
            frames = f"setpts=PTS-STARTPTS,fps={output.fps}:round=up"
            cut = f"{frames},trim=end={output.seconds}"
            return f"{cut},{_narrowed(output.width)},setsar=1,format=yuv420p"
        case Storyboard():
            return _tile(plan.source, output)
        case _:
            return ""


def _chains(node: _Node, source: str, numbers: Iterator[int]) -> Iterator[str]:
    """Yield the graph's chains; split pads with several readers, since ffmpeg allows only one."""
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
    """Scale to this many lines, square pixels and even sizes; squeeze what would be too long."""
    wide, longest = "gte(iw*sar,ih)", f"min({_LONGEST // 2},"
    width = f"if({wide},{longest}round({lines}*iw*sar/ih/2))*2,{lines})"
    height = f"if({wide},{lines},{longest}round({lines}*ih/(iw*sar)/2))*2)"
    return f"scale=w='{width}':h='{height}':flags=bicubic,setsar=1"


def _narrowed(width: int) -> str:
    """Scale to at most this width, square pixels and even sizes; squeeze extreme shapes."""
    wide = f"min({width},min(iw*sar,{_TALLEST * width}*iw*sar/ih))"
    return f"scale=w='max({MIN_SIDE},trunc({wide}/2)*2)':h='{_height(width)}'"


def _height(width: int) -> str:
    """Return the height that keeps the shape at the chosen width, within bounds."""
    return f"clip(trunc(ow*ih/(iw*sar)/2)*2,{MIN_SIDE},{_TALLEST * width})"


def _frame(plan: Plan, still: Stills) -> str:
    """Select the frame that is shown at the still's moment."""
    if not (moment := plan.moment(still)):
        return "select=eq(n\\,0)"
    return f"fps=1/{moment:.6f}:start_time=0:round=up,select=eq(n\\,1)"


def _tile(source: ProbeResult, board: Storyboard) -> str:
    fit = f"scale=w={board.width}:h='{_height(board.width)}':{_COLOURS['mjpeg']}"
    return f"{sampled(board, source.ends)},{fit}"
