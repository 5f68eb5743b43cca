"""Time limits against the visibility timeout: unsafe combinations do not start."""

from pathlib import Path

import pytest

from tests.factories.worker_process import started
from worker.broker import time_limits
from worker.broker.client import TRANSPORT
from worker.transcode.ffmpeg.limits import MOST_SECONDS


@pytest.mark.parametrize("limit", [None, 0, 60, 10_799])
def test_safe_limits_pass(limit: float | None) -> None:
    """A limit below the visibility timeout, or no limit, passes."""
    time_limits.check(TRANSPORT, {"--time-limit": limit})


@pytest.mark.parametrize("limit", [10_800, 86_400])
def test_an_unsafe_limit_is_named(limit: float) -> None:
    """A limit at or above the visibility timeout is refused, with both values."""
    with pytest.raises(
        time_limits.UnsafeTimeLimits, match=f"--time-limit is {limit} s.*below .* 10800 s"
    ):
        time_limits.check(TRANSPORT, {"--time-limit": limit})


def test_a_visibility_timeout_below_a_step_is_refused() -> None:
    """The longest step is compared with the visibility timeout, too."""
    with pytest.raises(time_limits.UnsafeTimeLimits, match="the longest step"):
        time_limits.check({"visibility_timeout": 600}, {})


def test_the_longest_run_of_ffmpeg_is_within_the_longest_step() -> None:
    """There is time left to read the source and to store the outputs."""
    assert MOST_SECONDS + 1000 < time_limits.LONGEST_STEP


def test_other_brokers_have_no_such_timeout() -> None:
    """Nothing is checked for RabbitMQ, which keeps a message until its connection ends."""
    time_limits.check({}, {"--time-limit": 1e9})


def test_a_worker_with_an_unsafe_limit_does_not_start(redis_url: str, tmp_path: Path) -> None:
    """The process prints one sentence and exits with 2."""
    worker = started(redis_url, tmp_path, "--time-limit", "20000")
    assert (2, True) == (worker.returncode, "--time-limit is 20000 s" in worker.stderr)
    assert "Traceback" not in worker.stderr
