"""How long things may take, held against each other before a worker starts.

Celery on Redis delivers a message again when its task has run for `visibility_timeout`, even while
it still runs. Measured with 5 s against tasks of 12 s: started six times, ended four times. The
record keeps a second worker from the step, but each such message occupies one for nothing.
"""

from collections.abc import Mapping

# What one start of a step may take at most, in seconds: a download has 600 (worker/fal/download/),
# and a transcode one run of ffmpeg of 7200 (worker/transcode/ffmpeg/limits.py) and a few that only
# copy, with what they read and write in storage.
LONGEST_STEP = 9000.0


class UnsafeTimeLimits(Exception):
    """A combination under which messages of running tasks would be delivered again."""


def check(transport_options: Mapping[str, object], limits: Mapping[str, float | None]) -> None:
    """Raises Unsafe unless the visibility timeout is above every limit and every step.

    `limits` are seconds by the name of their setting; None or 0 is no limit. A broker without
    `visibility_timeout`, such as RabbitMQ, has nothing to check.
    """
    given = transport_options.get("visibility_timeout")
    if given is None:
        return
    timeout = float(str(given))
    known = {"the longest step": LONGEST_STEP, **limits}
    for name, limit in known.items():
        if limit and limit >= timeout:
            raise UnsafeTimeLimits(
                f"visibility_timeout is {timeout:g} s, but {name} is {limit:g} s: Redis would "
                "deliver the messages of running tasks again. Set the limit below it "
                "(VISIBILITY_TIMEOUT in worker/broker/client.py is the other end)."
            )
