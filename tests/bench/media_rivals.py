"""The same outputs from ffmpeg alone: one command each, and one command written by hand."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-threads", "1")
_STILL = ("-frames:v", "1", "-update", "1", "-f", "image2")
_AUDIO = ("-map", "0:a:0", "-c:a", "copy")
_VIDEO = ("-map", "0:v:0")
_TITLE = ("-metadata", "title=A fox in the snow", "-movflags", "+faststart")
_720 = (*_X264, "-profile:v", "high", "-crf", "21", *_AUDIO, *_TITLE)
_360 = (*_X264, "-profile:v", "high", "-crf", "23", *_AUDIO, *_TITLE)
_PREVIEW = (*_X264, "-profile:v", "main", "-crf", "30", "-frames:v", "30", *_TITLE)
_COPY = (*_VIDEO, "-c:v", "copy", *_AUDIO, *_TITLE, "video.mp4")
_JPEG = ("-c:v", "mjpeg", "-q:v", "3", *_STILL, "poster.jpg")
_WEBP = ("-c:v", "libwebp", "-quality", "80", *_STILL, "poster.webp")
_BOARD = ("-c:v", "mjpeg", "-q:v", "4", *_STILL, "storyboard.jpg")
_TILES = "fps=2.5,scale=160:-2,tile=5x5,format=yuvj420p"
_FRAME = "select=gte(n\\,30),scale=1280:-2"


def apart(program: Path, clip: Path, into: Path) -> None:
    """Create each output with its own command, as a script would."""
    for outputs in (
        _COPY,
        (*_VIDEO, "-vf", "scale=-2:720", *_720, "720.mp4"),
        (*_VIDEO, "-vf", "scale=-2:360", *_360, "360.mp4"),
        ("-vf", "fps=10,scale=320:-2", "-an", *_PREVIEW, "preview.mp4"),
        ("-vf", f"{_FRAME},format=yuvj420p", *_JPEG),
        ("-vf", f"{_FRAME},format=yuv420p", *_WEBP),
        ("-vf", _TILES, *_BOARD),
    ):
        _run(program, clip, into, outputs)


def by_hand(program: Path, clip: Path, into: Path) -> None:
    """Create all outputs with one command, each scaled from the next larger one."""
    graph = (
        "[0:v]split=3[a][b][c];[a]scale=-2:720,split=2[v720][d];[d]scale=-2:360,split=3[v360][e][f];"
        f"[e]fps=10,scale=320:-2[pre];[f]{_TILES}[board];"
        f"[b]{_FRAME},format=yuvj420p[jpg];[c]{_FRAME},format=yuv420p[webp]"
    )
    renditions = ("-map", "[v720]", *_720, "720.mp4", "-map", "[v360]", *_360, "360.mp4")
    small = ("-map", "[pre]", *_PREVIEW, "preview.mp4", "-map", "[board]", *_BOARD)
    stills = ("-map", "[jpg]", *_JPEG, "-map", "[webp]", *_WEBP)
    outputs = ("-filter_complex", graph, *_COPY, *renditions, *small, *stills)
    _run(program, clip, into, outputs)


def _run(program: Path, clip: Path, into: Path, outputs: Sequence[str]) -> None:
    into.mkdir(parents=True, exist_ok=True)
    head = [str(program), "-hide_banner", "-loglevel", "error", "-y", "-nostdin", "-threads", "1"]
    command = [*head, "-i", str(clip), "-map_metadata", "-1", *outputs]
    subprocess.run(command, cwd=into, check=True)
