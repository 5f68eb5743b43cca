"""The one ffmpeg command that writes every output of a clip: its frames are decoded once."""

from worker.formats.mp4 import ProbeResult
from worker.transcode.conformance import audio_reasons
from worker.transcode.downmix import fitted_channels, fitted_layout
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.filter_graph import graph
from worker.transcode.gain import Gain
from worker.transcode.outputs import (
    H264,
    VIDEO,
    BlurHash,
    Hls,
    Look,
    Output,
    Preview,
    Rendition,
    Social,
    Still,
    Storyboard,
    Watch,
    aac,
)
from worker.transcode.plan import Plan
from worker.transcode.social import SILENCE, STEREO, constant_rate, lines_of, stereo
from worker.transcode.storyboard import FRAMES, LOSSLESS
from worker.transcode.web_limits import KEYFRAME_SECONDS, rate_options

_BARE = ("-map_metadata", "-1", "-map_chapters", "-1", "-dn", "-sn")
# Keeps the times of frames: some builds fill gaps, and a late start, with copies.
_AS_TIMED = ("-fps_mode", "vfr")
# By default a clock ticks once a frame, at a guessed rate. Frames of all usual rates last a whole
# number of these ticks: 24, 25, 30, 60, and these by 1.001.
_CLOCK = ("-enc_time_base", "1:120000")
# SVT-AV1 has its own option for threads; without it, it uses every processor.
_OWN_THREADS = "libsvtav1"


def command(plan: Plan, ffmpeg: Ffmpeg) -> list[str]:
    """Return ffmpeg's arguments after its input; file names are relative."""
    frames = graph(plan)
    arguments = ["-filter_complex", frames] if frames else []
    if plan.master:
        arguments += _master(plan, ffmpeg)
    for output in sorted(plan.outputs, key=_rank):
        arguments += _output(output, plan, ffmpeg)
    return arguments


def _rank(output: Output) -> int:
    """Sort stills last: ffmpeg reports the frames of its first output, of a still at most 1."""
    match output:
        case Rendition():
            return 0
        case Social():
            return 1
        case Preview() | Storyboard():
            return 2
    return 3


def _master(plan: Plan, ffmpeg: Ffmpeg) -> list[str]:
    if plan.master == "copy":
        video = ["-map", "0:V:0", "-c:v", "copy"]
    else:
        lines = min(plan.source.lines, plan.lines or plan.source.lines)
        video = ["-map", f"[{VIDEO}]", *H264.options(lines), "-threads", str(ffmpeg.threads)]
        video += [*_limits(plan, lines), *as_timed(plan.source), *keyframes(plan.keyframe_seconds)]
    return [*video, *_sound(plan), *_BARE, *_bounds(plan, ffmpeg), "-f", "mp4", VIDEO]


def _output(output: Output, plan: Plan, ffmpeg: Ffmpeg) -> list[str]:
    mapped = ["-map", f"[{output.file}]"]
    bounds = [*_BARE, *_bounds(plan, ffmpeg)]
    match output:
        case Rendition() | Social():
            video = _video(output, plan, ffmpeg)
            return [*mapped, *video, *bounds, "-f", "mp4", output.file]
        case Preview():
            video = [*output.encoding.options(output.width), "-threads", str(ffmpeg.threads)]
            frames = ["-frames:v", str(int(output.seconds * output.fps))]
            return [*mapped, *video, *_AS_TIMED, *bounds, *frames, "-f", "mp4", output.file]
        case Still():
            return [*mapped, *_BARE, "-frames:v", "1", *_picture(output, ffmpeg)]
        case Storyboard() | Watch():
            frames = [*LOSSLESS, "-f", "mp4", FRAMES]
            written = frames if isinstance(output, Storyboard) else ["-f", "null", "-"]
            return [*mapped, *_AS_TIMED, *bounds, *written]
        case BlurHash() | Look():
            raw = ["-frames:v", "1", "-c:v", "rawvideo", "-f", "rawvideo", output.file]
            return [*mapped, *_BARE, *raw]
        case Hls():
            return []  # built from finished renditions


def _video(output: Rendition | Social, plan: Plan, ffmpeg: Ffmpeg) -> list[str]:
    if isinstance(output, Social):
        return _social(output, plan, ffmpeg)
    return _rendition(output, plan, ffmpeg)


def _rendition(output: Rendition, plan: Plan, ffmpeg: Ffmpeg) -> list[str]:
    lines = min(output.lines, plan.source.lines)
    video = [*output.encoding.options(lines), *_threads(output.encoding.encoder, ffmpeg)]
    video += _limits(plan, lines)
    return [*video, *as_timed(plan.source), *keyframes(plan.keyframe_seconds), *_sound(plan)]


def _social(output: Social, plan: Plan, ffmpeg: Ffmpeg) -> list[str]:
    source, lines = plan.source, lines_of(output, plan.source)
    video = [*output.encoding.options(lines), *_threads(output.encoding.encoder, ffmpeg)]
    video += [*rate_options(lines, float(constant_rate(source))), *keyframes(KEYFRAME_SECONDS)]
    if source.audio is None:
        sound = ["-map", f"[{SILENCE}]", *aac(STEREO)]
    else:
        filters = _filters(source, stereo(output), gain=plan.social_gain)
        sound = ["-map", f"0:a:{source.audio_track}", "-filter:a", filters, *aac(STEREO)]
    return [*video, *_AS_TIMED, *sound, *language(source)]


def _picture(still: Still, ffmpeg: Ffmpeg) -> list[str]:
    encoder = ["-c:v", still.encoder, *still.arguments]
    if still.encoder == _OWN_THREADS:
        return [*encoder, *_threads(still.encoder, ffmpeg), "-f", "avif", still.file]
    return [*encoder, "-update", "1", "-f", "image2", still.file]


def as_timed(source: ProbeResult, *, held: float = 0.0) -> list[str]:
    """Return the options that keep the times of encoded frames, and the end of the last."""
    return [*_AS_TIMED, *_CLOCK, *last_end(source, held=held)]


def last_end(source: ProbeResult, *, held: float = 0.0) -> list[str]:
    """Return the options that let the last frame end when it does in the source.

    ffmpeg shows a frame until the next one that it decodes. With reordered frames at uneven
    distances, that is not the next one that is shown. The first frame is shown `held` seconds
    earlier.
    """
    rest = f"max(1\\,round({source.ends:.6f}/TB)-PTS)"
    duration = f"if(DURATION\\,min(DURATION\\,{rest})\\,{rest})"  # SVT-AV1 sets none
    earlier = f"-if(N\\,0\\,round({held:.6f}/TB))" if held else ""
    return ["-bsf:v", f"setts=pts=PTS{earlier}:dts=DTS{earlier}:duration={duration}"]


def keyframes(seconds: float | None) -> list[str]:
    """Return the options that force a keyframe at each multiple of so many seconds."""
    return ["-force_key_frames", f"expr:gte(t,n_forced*{seconds})"] if seconds else []


def _limits(plan: Plan, lines: int) -> list[str]:
    """Return the options of the bit rate, if the plan is for the web."""
    return [] if plan.lines is None else rate_options(lines, plan.source.fps)


def _sound(plan: Plan) -> list[str]:
    if plan.source.audio is None:  # a track without sound makes ffmpeg count below 0
        return []
    copied = plan.gain is None and not audio_reasons(plan.source)
    filters = _filters(plan.source, gain=plan.gain)
    encoded = ("-filter:a", filters, *aac(fitted_channels(plan.source)))
    codec = ("-c:a", "copy") if copied else encoded
    return ["-map", f"0:a:{plan.source.audio_track}?", *codec, *language(plan.source)]


def _filters(source: ProbeResult, *layout: str, gain: Gain | None) -> str:
    """Return the filters of encoded sound; trials of a gain use the same."""
    return ",".join((fitted_layout(source), *layout, *([gain.filters] if gain else [])))


def language(source: ProbeResult) -> list[str]:
    """Return the options that keep the language of the sound, which `_BARE` would drop."""
    return ["-metadata:s:a:0", f"language={source.language}"] if source.language else []


def _bounds(plan: Plan, ffmpeg: Ffmpeg) -> list[str]:
    return ["-t", f"{plan.source.over + 1:.3f}", "-fs", str(ffmpeg.limits.file_size)]


def _threads(encoder: str, ffmpeg: Ffmpeg) -> list[str]:
    if encoder == _OWN_THREADS:
        return ["-svtav1-params", f"lp={ffmpeg.threads}"]
    return ["-threads", str(ffmpeg.threads)]
