"""The WebVTT index of a storyboard: which part of the sprite shows which seconds.

https://www.w3.org/TR/webvtt1/ , and https://www.w3.org/TR/media-frags/#naming-space for #xywh.
"""

from worker.profiles import Storyboard


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
