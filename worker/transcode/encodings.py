"""How videos are encoded."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How a video is encoded; `crf` by the number of lines, the first bound that holds it."""

    encoder: str
    arguments: tuple[str, ...]
    crf: tuple[tuple[int, int], ...]

    def options(self, lines: int) -> tuple[str, ...]:
        """ffmpeg's options for a video of this many lines (pixels of its shorter side)."""
        crf = next((crf for bound, crf in self.crf if lines <= bound), self.crf[-1][1])
        return ("-c:v", self.encoder, "-crf", str(crf), *self.arguments)


# veryfast: "faster" and "fast" cost half as much again for a larger file at the same CRF.
H264 = Encoding(
    encoder="libx264",
    arguments=("-preset", "veryfast", "-profile:v", "high"),
    crf=((360, 23), (4320, 21)),
)
SMALL = Encoding(
    encoder="libx264", arguments=("-preset", "veryfast", "-profile:v", "main"), crf=((4320, 30),)
)
# Preset 10: the processor time of x264 veryfast for three quarters of the bytes.
AV1 = Encoding(encoder="libsvtav1", arguments=("-preset", "10"), crf=((4320, 32),))
