"""The thread of a process that works on the runs over groups of failed jobs."""

import threading

from redis.exceptions import RedisError

from webhook.log import get_logger
from worker.operations.redrive import Redrives

# Seconds between two looks for runs while none is under way.
_LOOK = 2.0

log = get_logger()


class RedriveRunner:
    """Works on runs until it is stopped; another process continues what is left."""

    def __init__(self, redrives: Redrives) -> None:
        self._redrives = redrives
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redrives", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the jobs that are being looked at."""
        self._stopping.set()
        self._thread.join(10.0)

    def _run(self) -> None:
        away = False
        while not self._stopping.is_set():
            worked = False
            try:
                worked = self._redrives.work()
                away = False
            except RedisError as error:
                if not away:
                    log.warning("redrive.waits", error=type(error).__name__)
                away = True
            except Exception as error:  # noqa: BLE001  # one run must not end the others
                # The text of an unexpected error may have parts of a record.
                log.error("redrive.crashed", error=type(error).__name__)  # noqa: TRY400
            if not worked:
                self._stopping.wait(_LOOK)
