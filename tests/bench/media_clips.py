"""Clips for benchmarks: 1080p with grain, as large as those that fal renders."""

import struct
from pathlib import Path

from tests.factories.clips import ffmpeg

# A buffer of a quarter second keeps frame sizes similar: without it a third of a clip's bytes would
# be in its first 13 frames.
RATE = ("-b:v", "22M", "-maxrate", "24M", "-bufsize", "6M", "-sc_threshold", "0")
CODECS = ("-c:v", "libx264", "-preset", "veryfast", *RATE, "-pix_fmt", "yuv420p")
OFTEN = 30  # frames from one keyframe to the next: one second
SELDOM = 250  # x264's default, more frames than most clips have


def conforming(path: Path, seconds: int, *, keyframes: int = SELDOM) -> Path:
    """Render a clip that is delivered unchanged, about 2.5 MB/s, a keyframe every `keyframes`."""
    picture = f"testsrc2=s=1920x1080:r=30:d={seconds},noise=alls=12:allf=t"
    clip = ("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", f"sine=f=440:d={seconds}")
    codecs = (*CODECS, "-g", str(keyframes), "-profile:v", "high", "-c:a", "aac")
    ffmpeg(*clip, *codecs, "-movflags", "+faststart", str(path), timeout=600)
    return path


def padded(clip: Path, target: Path, size: int) -> Path:
    """Write the clip with its media data extended to about `size` bytes that no sample uses.

    A smaller size leaves the clip unchanged. The file is sparse.
    """
    data = clip.read_bytes()
    begins = data.find(b"mdat") - 4
    more = max(0, size - len(data))
    head = struct.pack(">I4s", len(data) - begins + more, b"mdat")
    with target.open("wb") as out:
        out.write(data[:begins] + head + data[begins + 8 :])
        out.truncate(len(data) + more)
    return target
