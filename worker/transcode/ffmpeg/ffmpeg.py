"""ffmpeg as a bounded subprocess: it sees one file, opens no other, and cannot outstay."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from worker.formats.mp4 import MAX_PIXELS, ProbeResult
from worker.transcode.ffmpeg.discovery import FfmpegUnusable, located, missing
from worker.transcode.ffmpeg.exit_status import failure
from worker.transcode.ffmpeg.isolation import Isolation, strongest, works, wrapper
from worker.transcode.ffmpeg.limits import ResourceLimits, Used, Work
from worker.transcode.ffmpeg.progress import REPORT, Advance, ProgressParser
from worker.transcode.ffmpeg.sandbox import run

REQUIRED = ("libx264", "aac", "mjpeg")
OPTIONAL = {"encoders": ("libwebp", "libsvtav1"), "filters": ("zscale", "tonemap", "bwdif")}
MAX_ALLOC = 128 << 20  # bytes of one allocation; a 4K frame of 16 bits 4:4:4 is 50 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Ffmpeg:
    """An ffmpeg program (5.1 or newer, with libx264), and the limits it is held to.

    `by_descriptor`: it has the `fd` protocol, so the source is an inherited descriptor and it
    may open no input at all. `threads` is per codec: workers side by side, one thread each,
    finish more clips in a minute than one worker with all threads. `limits` are those of small
    clips; `fitted` has those of a larger one. `lacks`: encoders that some delivery profiles need,
    and filters that some sources do, which this program has not. `isolation` is what walls it off
    from the machine, beside the limits.
    """

    path: Path
    by_descriptor: bool
    threads: int = 1
    limits: ResourceLimits = field(default_factory=ResourceLimits)
    lacks: frozenset[str] = frozenset()
    isolation: Isolation = Isolation.NONE

    @classmethod
    def find(cls, configured: str | None, isolation: Isolation | None = None) -> Self:
        """The configured program (name or path), else the one that imageio-ffmpeg brings.

        Without an `isolation` it gets the strongest that this machine has. Raises
        `FfmpegUnusable` where the program is not there, does not run, lacks an encoder, or cannot
        be isolated as asked.
        """
        path = located(configured)
        if lacks := missing(path, "encoders", REQUIRED):
            raise FfmpegUnusable(
                f"{path} has no encoder {', '.join(lacks)}; set FALHOOK_FFMPEG to an ffmpeg"
                " that was built with it"
            )
        if isolation and isolation is not Isolation.NONE and not works(isolation, path):
            raise FfmpegUnusable(
                f"FALHOOK_ISOLATION is {isolation}, which this machine has not, or not for {path};"
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
        """The same program, with limits in which it can make this many outputs of the clip."""
        work = Work(
            frames=source.frames,
            pixels=source.width * source.height,
            outputs=outputs,
            size=source.size,
            threads=self.threads,
        )
        return replace(self, limits=self.limits.fitted(work))

    def run(
        self,
        outputs: Sequence[str],
        *,
        source: Path,
        cwd: Path,
        duration: float | None,
        seek: float = 0.0,
        progress: Callable[[Advance], None] | None = None,
    ) -> Used:
        """Read `source`, an MP4 that `formats.mp4.probe` let pass, and write what `outputs` ask.

        `outputs` are ffmpeg's arguments after the input, their files relative to `cwd`. Frames
        before `seek` seconds need not be decoded; those from the last keyframe before it on keep
        the times that they have without it.
        `progress` is told at most twice a second, and never that all is done, which is the caller's
        to say, when it has checked the outputs. Returns what the program used.

        Raises `Permanent` (media_invalid, media_unsupported) where ffmpeg refuses the file, or
        (media_timeout) used up its time; `Transient` (media_timeout) where it stood still, and
        (media_crashed) where another limit of ours or a crash ended it.
        That this returns does not prove the outputs: ffmpeg exits with 0 after some errors.
        """
        watch = ProgressParser(duration, progress)
        with source.open("rb") as file:
            ended = run(
                self._command(outputs, source, seek),
                cwd=cwd,
                limits=self.limits,
                stdin=file if self.by_descriptor else None,
                watch=watch.line,
                wrapper=wrapper(self.isolation, self.path, cwd, self._opened(source)),
            )
        if failed := failure(ended, self.limits):
            raise failed
        return ended.used

    def _opened(self, source: Path) -> tuple[Path, ...]:
        """The files that the program has to open by name."""
        return () if self.by_descriptor else (source.resolve(),)

    def _command(self, outputs: Sequence[str], source: Path, seek: float = 0.0) -> list[str]:
        # The demuxer is forced and no protocol but the one needed is allowed, because a playlist,
        # DASH manifest or concat list named .mp4 makes ffmpeg open what is written in it.
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
        bounds += ["-probesize", "1M", "-analyzeduration", "2M", *_sought(seek)]
        return [str(self.path), *general, *guard, *bounds, "-f", "mov", "-i", name, *outputs]


def _sought(seconds: float) -> list[str]:
    # An accurate seek would drop frames by a clock of its own: the graph chooses by the clip's.
    clock = ("-noaccurate_seek", "-copyts", "-start_at_zero")
    return ["-ss", f"{seconds:.6f}", *clock] if seconds else []
