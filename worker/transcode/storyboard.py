"""A storyboard: the frames of its tiles, the sprite of them, and the WebVTT of what is when.

https://www.w3.org/TR/webvtt1/ , and https://www.w3.org/TR/media-frags/#naming-space for #xywh.

The run that decodes the clip writes the frames as a small lossless video, and a second one joins
them: of a run that tiles them itself ffmpeg tells no progress until its end, when the sprite's
file is begun.
"""

from pathlib import Path

from worker.transcode.ffmpeg import Ffmpeg, Used
from worker.transcode.outputs import Storyboard
from worker.transcode.verification import verification_failed

FRAMES = "frames.mp4"  # what the first run writes, and the second reads
LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-threads", "1")
_SELDOM = 2.0  # seconds of the clip from one frame to the next: each is a sign of progress


def sampled(board: Storyboard, duration: float) -> str:
    """The filters that choose the frames: those in the middle of each tile's time among them.

    Rounding up shows at each time what a player shows; the first frame comes at once.
    """
    apart = duration / (board.columns * board.rows * _each(board, duration))
    return f"setpts=PTS+{apart / 2:.6f}/TB,fps=fps=1/{apart:.6f}:start_time=0:round=up"


def sprite(board: Storyboard, directory: Path, duration: float, ffmpeg: Ffmpeg) -> Used:
    """Join the frames in `directory` to the sprite there, and remove them.

    Raises what `Ffmpeg.run` raises, and `Permanent` where there are none.
    """
    frames, each = directory / FRAMES, _each(board, duration)
    if not frames.is_file():
        raise verification_failed("the frames of the storyboard are missing")
    middle, tiles = (each + 1) // 2, board.columns * board.rows
    chosen = f"select=gte(n\\,{middle})*not(mod(n-{middle}\\,{each}))"
    # Of a clip that ends before its time the last tiles repeat.
    joined = f"tpad=stop={tiles}:stop_mode=clone,tile={board.columns}x{board.rows}"
    picture = ["-frames:v", "1", "-c:v", "mjpeg", "-q:v", "4", "-update", "1", "-f", "image2"]
    outputs = ["-vf", f"{chosen},{joined}", "-map_metadata", "-1", *picture, board.file]
    used = ffmpeg.run(outputs, source=frames, cwd=directory, duration=None)
    frames.unlink()
    return used


def _each(board: Storyboard, duration: float) -> int:
    """Frames for each tile, an odd number, so that one is in the middle."""
    return 2 * int(duration / (board.columns * board.rows * _SELDOM)) + 1


def index(board: Storyboard, duration: float, height: int) -> str:
    """The cues of a sprite `height` pixels high, for a clip of `duration` seconds."""
    tiles, tile = board.columns * board.rows, height // board.rows
    cues = []
    for at in range(tiles):
        row, column = divmod(at, board.columns)
        begin, end = (_clock(duration * number / tiles) for number in (at, at + 1))
        area = f"{column * board.width},{row * tile},{board.width},{tile}"
        cues.append(f"{begin} --> {end}\n{board.file}#xywh={area}\n")
    return "\n".join(("WEBVTT\n", *cues))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
