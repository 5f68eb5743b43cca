"""A storyboard: frames for its tiles, a sprite of them, and the WebVTT index of their times.

https://www.w3.org/TR/webvtt1/ , and https://www.w3.org/TR/media-frags/#naming-space for #xywh.

The run that decodes the clip writes the frames as a small lossless video, and a second one joins
them. If one run did both, ffmpeg would report no progress until its end, when it opens the file of
the sprite.
"""

from pathlib import Path

from worker.transcode.ffmpeg import Ffmpeg, ResourceUsage
from worker.transcode.outputs import Storyboard
from worker.transcode.verification import verification_failed

FRAMES = "frames.mp4"  # written by the first run, read by the second
LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-threads", "1")
_INTERVAL = 2.0  # most seconds of the clip between two frames: each counts as progress


def sampled(board: Storyboard, duration: float) -> str:
    """Return the filters that sample frames, among them the middle one of each tile's time.

    Rounding up selects the frame that a player shows at each time, and the first frame at once.
    """
    interval = duration / (board.columns * board.rows * _frames_per_tile(board, duration))
    return f"setpts=PTS+{interval / 2:.6f}/TB,fps=fps=1/{interval:.6f}:start_time=0:round=up"


def sprite(board: Storyboard, directory: Path, duration: float, ffmpeg: Ffmpeg) -> ResourceUsage:
    """Join the frames in `directory` to a sprite in it, and delete them.

    Raises what `Ffmpeg.run` raises, and `Permanent` if there are no frames.
    """
    frames, per_tile = directory / FRAMES, _frames_per_tile(board, duration)
    if not frames.is_file():
        raise verification_failed("the frames of the storyboard are missing")
    middle, tiles = (per_tile + 1) // 2, board.columns * board.rows
    selected = f"select=gte(n\\,{middle})*not(mod(n-{middle}\\,{per_tile}))"
    # If a clip ends before its declared duration, the last tile repeats.
    joined = f"tpad=stop={tiles}:stop_mode=clone,tile={board.columns}x{board.rows}"
    picture = ["-frames:v", "1", "-c:v", "mjpeg", "-q:v", "4", "-update", "1", "-f", "image2"]
    outputs = ["-vf", f"{selected},{joined}", "-map_metadata", "-1", *picture, board.file]
    usage = ffmpeg.run(outputs, source=frames, cwd=directory, duration=None)
    frames.unlink()
    return usage


def _frames_per_tile(board: Storyboard, duration: float) -> int:
    """Return an odd number, so that one frame is in the middle."""
    return 2 * int(duration / (board.columns * board.rows * _INTERVAL)) + 1


def index(board: Storyboard, duration: float, height: int) -> str:
    """Return the WebVTT cues of a sprite `height` pixels high, for a clip of `duration` seconds."""
    tiles, tile_height = board.columns * board.rows, height // board.rows
    cues = []
    for tile in range(tiles):
        row, column = divmod(tile, board.columns)
        begin, end = (_clock(duration * number / tiles) for number in (tile, tile + 1))
        area = f"{column * board.width},{row * tile_height},{board.width},{tile_height}"
        cues.append(f"{begin} --> {end}\n{board.file}#xywh={area}\n")
    return "\n".join(("WEBVTT\n", *cues))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
