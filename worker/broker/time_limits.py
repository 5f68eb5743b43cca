"""The check of time limits against each other before a worker starts.

Celery on Redis delivers a message again when its task has run for `visibility_timeout`, even while
the task still runs. Measured with 5 s and tasks of 12 s: started six times, ended four times. The
job's record keeps a second worker from the step, but each such message occupies one for nothing.
"""

from collections.abc import Mapping

from worker.errors import ConfigurationError

# The longest run of a step, in seconds. A download may take 600 (worker/fal/download/limits.py). A
# transcode has one run of ffmpeg of at most 7200 (worker/transcode/ffmpeg/limits.py), a few that
# only copy, and its reads and writes in storage.
LONGEST_STEP = 9000.0


class UnsafeTimeLimits(ConfigurationError):
    """Messages of running tasks would be delivered again."""


def check(transport_options: Mapping[str, object], limits: Mapping[str, float | None]) -> None:
    """Raise UnsafeTimeLimits unless the visibility timeout is above every limit and every step.

    `limits` are seconds by the name of their setting; None or 0 means unlimited. A broker without
    `visibility_timeout`, such as RabbitMQ, has nothing to check.
    """
    option = transport_options.get("visibility_timeout")
    if option is None:
        return
    timeout = float(str(option))
    for name, limit in {"the longest step": LONGEST_STEP, **limits}.items():
        if limit and limit >= timeout:
            raise UnsafeTimeLimits(
                f"{name} is {limit:g} s, but must be below the visibility timeout of {timeout:g} s "
                "(VISIBILITY_TIMEOUT in worker/broker/client.py): otherwise Redis delivers the "
                "messages of running tasks again."
            )
