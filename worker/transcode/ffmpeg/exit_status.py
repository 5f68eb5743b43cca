"""What ffmpeg says while it runs, and what its end means."""

import re
import signal
from functools import partial

from worker.errors import Failure, Permanent, Transient
from worker.transcode.ffmpeg.limits import ResourceLimits
from worker.transcode.ffmpeg.sandbox import ProcessResult

# Exit codes are the low byte of FFmpeg's negative error numbers (libavutil/error.h).
_OURS = {
    244: "it had not enough memory",  # ENOMEM: -max_alloc, RLIMIT_AS or the machine
    228: "the disk is full",  # ENOSPC
    245: "it could not start a thread, mostly for want of memory",  # EAGAIN
    251: "the disk could not be read or written",  # EIO
    187: "a library of its failed, mostly for want of memory",  # AVERROR_EXTERNAL
    255: "it was told to stop",
    123: "it was told to stop",
}
_WORDS = (
    (re.compile(r"Cannot allocate memory|malloc of size \d+ failed"), "it had not enough memory"),
    (re.compile(r"No space left on device"), "the disk is full"),
)
_BY_CPU = frozenset({signal.SIGKILL, signal.SIGXCPU})  # how RLIMIT_CPU ends a program
_PATCH_WELCOME = 176  # a feature of the format that FFmpeg knows and has not implemented
_NO_DECODER = re.compile(r"[Dd]ecod(er|ing) .*not found|no decoder found")


def failure(ended: ProcessResult, limits: ResourceLimits) -> Failure | None:
    """What an end of ffmpeg means, None where it exited with 0.

    `Permanent` where it refused the file, or used up the time that was ample for it: another try
    would. `Transient` for our other limits and for crashes. Its own words may quote the file and
    are not passed on.
    """
    crashed = partial(Transient, "media_crashed")
    match ended.cut, ended.code:
        case "wall", _:
            found: Failure = _overlong(f"ffmpeg was ended after {limits.wall:g} s", ended)
        case "stall", _:
            found = Transient("media_timeout", f"ffmpeg made no progress for {limits.stall:g} s")
        case _, 0:
            return None
        case _, code if -code in _BY_CPU and ended.used.cpu >= limits.cpu - 1:
            found = _overlong("ffmpeg used up its processor time", ended)
        case _, code if code < 0:
            found = crashed(f"ffmpeg was ended by signal {-code} ({_signal(-code)})")
        case _, 126 | 127:  # sh: cannot be executed, not found
            found = crashed("ffmpeg could not be started; see FALHOOK_FFMPEG")
        case _, code:
            found = _refusal(code, ended.stderr)
    return found


def _overlong(what: str, ended: ProcessResult) -> Permanent:
    return Permanent(
        "media_timeout",
        f"{what} ({ended.used.cpu:.0f} s of a processor in {ended.used.wall:.0f} s), several times"
        " what such a clip takes; if the machine was overloaded, `falhook retry` takes it up again",
    )


def _refusal(code: int, stderr: str) -> Failure:
    said = (words for pattern, words in _WORDS if pattern.search(stderr))
    if cause := next(said, _OURS.get(code)):
        return Transient("media_crashed", f"ffmpeg stopped: {cause}")
    if code == _PATCH_WELCOME or _NO_DECODER.search(stderr):
        return Permanent("media_unsupported", "this ffmpeg has no decoder for what it holds")
    return Permanent("media_invalid", f"ffmpeg could not read it (exit code {code})")


def _signal(number: int) -> str:
    return signal.strsignal(number) or "unknown"
