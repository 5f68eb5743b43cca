"""Extras that cannot be made of a clip: the video was paid for, and is published without them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from webhook.log import get_logger
from worker.errors import Permanent
from worker.formats.errors import MediaError
from worker.transcode.outputs import Output
from worker.transcode.plan import Plan
from worker.transcode.profiles import Profile

log = get_logger()


def is_of_the_clip(failure: Permanent | MediaError) -> bool:
    """Whether it would fail again: a machine that is overloaded may have the time later."""
    return failure.reason != "media_timeout"


@dataclass(frozen=True, slots=True)
class FailedExtras:
    """Which extras of a profile are lost, by their files' names, and why."""

    profile: Profile
    why: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def allow_failure(self, output: Output) -> Iterator[None]:
        """What fails for good inside is the loss of this output; of what is no extra, a failure."""
        try:
            yield
        except (Permanent, MediaError) as failure:
            if not self.profile.is_extra(output) or not is_of_the_clip(failure):
                raise
            self.lose(output, failure)

    def lose(self, output: Output, failure: Permanent | MediaError) -> None:
        """Note it, and log it: who runs this may have to mend something."""
        self.why[output.file] = failure.sentence
        log.warning("extra.lost", file=output.file, reason=failure.reason, why=failure.sentence)

    def without_failed(self, plan: Plan) -> Plan:
        """The plan without what is lost."""
        return replace(
            plan, outputs=tuple(each for each in plan.outputs if each.file not in self.why)
        )
