"""The failure that an exit of ffmpeg means."""

import re
import signal
from functools import partial

from worker.errors import Failure, Permanent, Transient
from worker.transcode.ffmpeg.limits import ResourceLimits
from worker.transcode.ffmpeg.sandbox import ProcessResult

# Exit codes are the low byte of FFmpeg's negative error numbers (libavutil/error.h).
_EXTERNAL = 187  # AVERROR_EXTERNAL
_TRANSIENT = {
    244: "it ran out of memory",  # ENOMEM: -max_alloc, RLIMIT_AS or the machine
    228: "the disk is full",  # ENOSPC
    245: "it could not start a thread, usually for lack of memory",  # EAGAIN
    251: "the disk could not be read or written",  # EIO
    _EXTERNAL: "one of its libraries failed, usually for lack of memory",
    255: "it received a signal to stop",
    123: "it received a signal to stop",
}
_MESSAGES = (
    (re.compile(r"Cannot allocate memory|malloc of size \d+ failed"), "it ran out of memory"),
    (re.compile(r"No space left on device"), "the disk is full"),
)
# zimg's error of a filter, except its code for a lack of memory (zimg.h: ZIMG_ERROR_OUT_OF_MEMORY).
_REFUSED_BY_FILTER = re.compile(r"Parsed_\w+ @ [^]]*\] code (?!2048\b)\d+:")
_CPU_SIGNALS = frozenset({signal.SIGKILL, signal.SIGXCPU})  # with which RLIMIT_CPU ends it
_PATCH_WELCOME = 176  # a feature of the format that FFmpeg knows but does not implement
_NO_DECODER = re.compile(r"[Dd]ecod(er|ing) .*not found|no decoder found")


def failure(result: ProcessResult, limits: ResourceLimits) -> Failure | None:
    """Return the failure that ffmpeg's exit means; None if it exited with 0.

    It is `Permanent` if ffmpeg refused the file, or used up its time, which is several times what
    such a file takes. It is `Transient` for other limits and for crashes. ffmpeg's own messages
    may quote the file, and are left out.
    """
    crashed = partial(Transient, "media_crashed")
    match result.cut, result.code:
        case "wall", _:
            outcome: Failure = _too_long(f"ffmpeg was stopped after {limits.wall:g} s", result)
        case "stall", _:
            outcome = Transient("media_timeout", f"ffmpeg made no progress for {limits.stall:g} s")
        case _, 0:
            return None
        case _, code if -code in _CPU_SIGNALS and result.usage.cpu >= limits.cpu - 1:
            outcome = _too_long("ffmpeg used up its processor time", result)
        case _, code if code < 0:
            outcome = crashed(f"ffmpeg was ended by signal {-code} ({_signal(-code)})")
        case _, 126 | 127:  # sh: cannot be executed, not found
            outcome = crashed("ffmpeg could not be started; check FALHOOK_FFMPEG")
        case _, code:
            outcome = _refusal(code, result.stderr)
    return outcome


def _too_long(sentence: str, result: ProcessResult) -> Permanent:
    cpu, wall = result.usage.cpu, result.usage.wall
    return Permanent(
        "media_timeout",
        f"{sentence} ({cpu:.0f} s of processor time in {wall:.0f} s), several times what such a"
        " clip takes; if the machine was overloaded, run `falhook retry`",
    )


def _refusal(code: int, stderr: str) -> Failure:
    if code == _EXTERNAL and _REFUSED_BY_FILTER.search(stderr):
        return Permanent("media_invalid", "a filter of ffmpeg refused the frames of the file")
    causes = (cause for pattern, cause in _MESSAGES if pattern.search(stderr))
    if cause := next(causes, _TRANSIENT.get(code)):
        return Transient("media_crashed", f"ffmpeg stopped: {cause}")
    if code == _PATCH_WELCOME or _NO_DECODER.search(stderr):
        return Permanent("media_unsupported", "this ffmpeg has no decoder for the file's format")
    return Permanent("media_invalid", f"ffmpeg could not read the file (exit code {code})")


def _signal(number: int) -> str:
    return signal.strsignal(number) or "unknown"
