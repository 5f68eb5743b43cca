"""Extras that could not be created: the video was paid for, and is published without them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from webhook.log import get_logger
from worker.errors import Permanent
from worker.formats.errors import MediaError
from worker.transcode.outputs import Output
from worker.transcode.profiles import Profile

log = get_logger()


def would_fail_again(failure: Permanent | MediaError) -> bool:
    """Return False for a timeout: an overloaded machine may have the time later."""
    return failure.reason != "media_timeout"


@dataclass(frozen=True, slots=True)
class FailedExtras:
    """Collects the extras that fail in one stage of the work: `reasons` by file name."""

    profile: Profile
    reasons: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def allow_failure(self, output: Output) -> Iterator[None]:
        """Record a permanent failure of an extra and continue; re-raise any other failure."""
        try:
            yield
        except (Permanent, MediaError) as failure:
            if not self.profile.is_extra(output) or not would_fail_again(failure):
                raise
            self.reasons[output.file] = failure.sentence
            # Logged because the operator may have to fix the ffmpeg build or the profile.
            log.warning("extra.lost", file=output.file, reason=failure.reason, why=failure.sentence)
