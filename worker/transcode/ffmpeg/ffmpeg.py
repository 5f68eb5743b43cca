"""ffmpeg as a bounded subprocess: it reads one file, opens no other, and its time is limited."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from worker.formats.mp4 import MAX_PIXELS, ProbeResult
from worker.transcode.ffmpeg.discovery import FfmpegUnusable, locate, missing
from worker.transcode.ffmpeg.exit_status import failure
from worker.transcode.ffmpeg.isolation import Isolation, strongest, works, wrapper
from worker.transcode.ffmpeg.limits import ResourceLimits, Work
from worker.transcode.ffmpeg.progress import REPORT, Advance, ProgressParser
from worker.transcode.ffmpeg.sandbox import run
from worker.transcode.ffmpeg.usage import ResourceUsage

REQUIRED = ("libx264", "aac", "mjpeg")
OPTIONAL = {"encoders": ("libwebp", "libsvtav1"), "filters": ("zscale", "tonemap", "bwdif")}
# Codes of matrices for which ffmpeg has a name (ITU-T H.273). It gives no filter other frames, and
# its AV1 decoder passes on the codes of the stream.
_NAMED_MATRICES = frozenset({0, 1, 2, *range(4, 18)})
_UNSTATED_MATRIX = ("-bsf:v", "av1_metadata=matrix_coefficients=2")
MAX_ALLOC = 128 << 20  # bytes of one allocation; a 4K frame of 16 bits 4:4:4 is 50 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Ffmpeg:
    """An ffmpeg program (5.1 or newer, with libx264), and the limits under which it runs.

    `by_descriptor`: it has the `fd` protocol, so the source is an inherited descriptor and it
    may open no input at all. `threads` is per codec: several workers with one thread each finish
    more clips per minute than one worker with all threads. `limits` suit small clips; `fitted`
    returns larger ones. `lacks`: encoders that some delivery profiles need, and filters that some
    sources need, which this program does not have. `isolation` separates it from the machine.
    """

    path: Path
    by_descriptor: bool
    threads: int = 1
    limits: ResourceLimits = field(default_factory=ResourceLimits)
    lacks: frozenset[str] = frozenset()
    isolation: Isolation = Isolation.NONE
    input_options: tuple[str, ...] = ()

    @classmethod
    def find(cls, configured: str | None, isolation: Isolation | None = None) -> Self:
        """Return the configured program (name or path), else the one of imageio-ffmpeg.

        Without an `isolation` it gets the strongest one that works on this machine. Raises
        `FfmpegUnusable` if the program is missing, does not run, lacks an encoder, or does not
        run with the requested isolation.
        """
        path = locate(configured)
        if lacks := missing(path, "encoders", REQUIRED):
            raise FfmpegUnusable(
                f"{path} has no encoder {', '.join(lacks)}; set FALHOOK_FFMPEG to an ffmpeg"
                " with all of them"
            )
        if isolation and isolation is not Isolation.NONE and not works(isolation, path):
            raise FfmpegUnusable(
                f"FALHOOK_ISOLATION is {isolation}, which does not work here with {path};"
                " install bubblewrap, allow user namespaces, or set auto"
            )
        return cls(
            path=path,
            isolation=isolation or strongest(path),
            by_descriptor=not missing(path, "protocols", ["fd"]),
            lacks=frozenset(
                name for kind, names in OPTIONAL.items() for name in missing(path, kind, names)
            ),
        )

    def fitted(self, source: ProbeResult, outputs: int) -> Self:
        """Return this program with limits that suffice for this many outputs of the clip.

        It reads a reserved matrix code of AV1 as an unspecified one.
        """
        work = Work(
            frames=source.frames,
            pixels=source.width * source.height,
            outputs=outputs,
            size=source.size,
            threads=self.threads,
        )
        unnamed = source.codec == "AV1" and source.colour.matrix not in _NAMED_MATRICES
        options = _UNSTATED_MATRIX if unnamed else ()
        return replace(self, limits=self.limits.fitted(work), input_options=options)

    def run(
        self,
        outputs: Sequence[str],
        *,
        source: Path,
        cwd: Path,
        duration: float | None,
        seek: float = 0.0,
        progress: Callable[[Advance], None] | None = None,
    ) -> ResourceUsage:
        """Run ffmpeg on `source`, an MP4 that `formats.mp4.probe` accepted; return its usage.

        `outputs` are ffmpeg's arguments after the input, with files relative to `cwd`. Frames
        before `seek` seconds may be skipped; the others keep the times that they have without it.
        `progress` is called at most twice a second, and never with fraction 1: the caller reports
        that, once it has verified the outputs, since ffmpeg exits with 0 after some errors.

        Raises `Permanent` if ffmpeg refuses the file (media_invalid, media_unsupported) or used up
        its time (media_timeout), `Transient` if it made no progress (media_timeout), or crashed or
        reached another limit (media_crashed).
        """
        parser = ProgressParser(duration, progress)
        with source.open("rb") as file:
            result = run(
                self._command(outputs, source, seek),
                cwd=cwd,
                limits=self.limits,
                stdin=file if self.by_descriptor else None,
                watch=parser.line,
                wrapper=wrapper(self.isolation, self.path, cwd, self._opened_by_name(source)),
            )
        if error := failure(result, self.limits):
            raise error
        return result.usage

    def _opened_by_name(self, source: Path) -> tuple[Path, ...]:
        return () if self.by_descriptor else (source.resolve(),)

    def _command(self, outputs: Sequence[str], source: Path, seek: float = 0.0) -> list[str]:
        # The demuxer is forced, and only the protocol that is needed is allowed: a playlist, DASH
        # manifest or concat list named .mp4 makes ffmpeg open the files and URLs in it.
        # https://ffmpeg.org/ffmpeg-protocols.html#fd
        if self.by_descriptor:
            guard, name = ["-protocol_whitelist", "fd"], "fd:"
        else:
            guard, name = ["-nostdin", "-protocol_whitelist", "file"], f"file:{source.resolve()}"
        general = ["-hide_banner", "-loglevel", "error", "-nostats", "-y", "-xerror"]
        general += ["-max_alloc", str(MAX_ALLOC), "-progress", "pipe:1"]
        general += ["-stats_period", str(REPORT), "-filter_complex_threads", str(self.threads)]
        bounds = [
            "-max_pixels",
            str(MAX_PIXELS),
            "-max_streams",
            "8",
            "-threads",
            f"{self.threads}",
        ]
        bounds += ["-probesize", "1M", "-analyzeduration", "2M", *_seek(seek), *self.input_options]
        return [str(self.path), *general, *guard, *bounds, "-f", "mov", "-i", name, *outputs]


def _seek(seconds: float) -> list[str]:
    # An accurate seek would drop frames by a clock of its own; the graph selects by the clip's.
    clock = ("-noaccurate_seek", "-copyts", "-start_at_zero")
    return ["-ss", f"{seconds:.6f}", *clock] if seconds else []
