"""The sweep: wakes every job that should have moved and did not.

It finds what lost messages left behind: callbacks in the inbox that no worker ingested, jobs whose
wake or worker was lost, and callbacks past their deadline. Sweeps may run at the same time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from redis.exceptions import RedisError

from webhook.contract import ROUTES, Queue, Task
from webhook.log import get_logger
from worker.errors import Permanent
from worker.jobs import deployment
from worker.jobs.change import Change, Outcome
from worker.jobs.job import AWAITING, FINAL, Job, JobState
from worker.jobs.listing import count
from worker.jobs.store import LOST_WAKE_AFTER, JobStore
from worker.jobs.transitions import Transitions
from worker.steps.inbox import InboxReader

# Seconds between sweeps, and how many jobs each looks at.
INTERVAL = 5.0
LIMIT = 1_000
# Job ids in one wake of `ingest`.
CHUNK = 100
# A wake may be waiting in a long queue rather than lost, so the intervals between wakes double, up
# to this many seconds; after MAX_WAKES, about a day, the job fails.
MAX_WAKE_INTERVAL = 600.0
MAX_WAKES = 150
# Seconds until the wake of a look-up, which may be lost, is repeated.
LOOK_UP_WAKE = 60.0

# Jobs in two layouts that the log names, and the key while they need not be named again.
LEFT_NAMED = 10
LEFT_NOTED = "falhook:left_noted"

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Wakes overdue jobs. `wake_ingest` sends one message for many jobs.

    `queue_length` counts the messages that wait in a queue. No job is woken while a queue has as
    many as jobs that wait for it: the wakes are there, and only their workers are missing or slow.
    """

    store: JobStore
    transitions: Transitions
    inbox: InboxReader
    wake_ingest: Callable[[Sequence[str]], None]
    deadline: float
    queue_length: Callable[[Queue], int] = lambda _queue: 0
    # Wakes the notifier for what a lost message has left behind.
    notify_overdue: Callable[[], object] = lambda: None
    # Notes in the storage how far Redis has come.
    note_age: Callable[[], object] = lambda: None

    def run(self) -> None:
        """Wake every overdue job once, or end it."""
        if self.store.earlier.exists():
            self._move_earlier()
        pending = self.inbox.overdue(LIMIT)
        for start in range(0, len(pending), CHUNK):
            self.wake_ingest(pending[start : start + CHUNK])
        due = self.store.due(LIMIT)
        room = _Room(self._missing_wakes)
        for job_id in due:
            self._try(job_id, room)
        self.notify_overdue()
        deployment.note_sweep(self.store.redis, self.store.clock())
        self.note_age()
        if pending or due:
            log.info("sweep.done", callbacks=len(pending), jobs=len(due))

    def _move_earlier(self) -> None:
        earlier = self.store.earlier
        if moved := sum(1 for _ in islice(earlier.move_all(), LIMIT)):
            log.info("layout.moved", jobs=moved)
        elif (left := earlier.left(LEFT_NAMED)) and self._begin_of_day():
            log.warning("layout.left", jobs=earlier.count(), first=list(left))

    def _begin_of_day(self) -> bool:
        """Return whether this is the first call of all processes within a day."""
        return bool(self.store.redis.set(LEFT_NOTED, "1", nx=True, ex=86_400))

    def _missing_wakes(self, queue: Queue) -> int:
        states = [
            state
            for state in JobState
            if (task := self.transitions.next_task(state)) and ROUTES[task] is queue
        ]
        return sum(count(self.store.redis, states).values()) - self.queue_length(queue)

    def _try(self, job_id: str, room: "_Room") -> None:
        try:
            self._wake(job_id, room)
        except RedisError:
            raise
        except Exception:  # a record that cannot be read must not block the others
            log.exception("step.crashed", job=job_id, step=Task.SWEEP)
            self.store.delay_timer(job_id, MAX_WAKE_INTERVAL)

    def _wake(self, job_id: str, room: "_Room") -> None:
        job = self.store.get(job_id)
        if job is None:
            self.store.drop_timer(job_id)
        elif job.due_at > self.store.clock():
            return
        elif job.state in FINAL:
            self.store.change(job_id, [job.state], Change(due=0))
        elif job.state is JobState.SUBMITTING:
            self._abandoned(job)
        elif job.state in AWAITING:
            self._postpone(job, LOOK_UP_WAKE)
            self.wake_ingest([job_id])
        else:
            self._wake_again(job, room)

    def _abandoned(self, job: Job) -> None:
        """Handle a job whose worker died around its POST, or is alive and cut off from Redis."""
        if job.posted == job.attempt:
            self._unknown(job)
            return
        # The mark that precedes every POST is missing, and a worker that is still alive finds its
        # claim gone when it tries to set it: nothing was sent, and nothing will be.
        outcome = Outcome(
            to=JobState.QUEUED, set={"tries": job.tries}, event={"reason": "worker_lost"}
        )
        guard = {"attempt": job.attempt, "posted": job.posted}
        self.transitions.move(Task.SWEEP, job, outcome, expected=[JobState.SUBMITTING], guard=guard)

    def _unknown(self, job: Job) -> None:
        # Only fal knows whether it has the job.
        outcome = Outcome(
            to=JobState.SUBMIT_UNKNOWN,
            set={
                "submitted_at": self.store.clock(),
                "step": Task.SUBMIT,
                "reason": "worker_lost",
                "sentence": "the worker died at its POST; fal may have the job, so it is not "
                "repeated: the callback or the deadline settles that",
            },
            event={"reason": "worker_lost", "attempt": str(job.attempt)},
            due=self.deadline,
        )
        self.transitions.move(Task.SWEEP, job, outcome, expected=[JobState.SUBMITTING])

    def _wake_again(self, job: Job, room: "_Room") -> None:
        if job.wakes >= MAX_WAKES:
            sentence = f"{job.state} was woken {job.wakes} times and no worker started its step"
            failure = Permanent("stalled", sentence)
            self.transitions.fail(Task.SWEEP, job, failure, expected=[job.state])
            return
        self._postpone(job, min(LOST_WAKE_AFTER * 2**job.wakes, MAX_WAKE_INTERVAL))
        task = self.transitions.next_task(job.state)
        if task is None or room.take(ROUTES[task]):
            self.transitions.wake_next(job.id)

    def _postpone(self, job: Job, seconds: float) -> None:
        due = self.store.clock() + seconds
        change = Change(bump=("wakes",), due=due, guard={"attempt": job.attempt})
        self.store.change(job.id, [job.state], change)


class _Room:
    """The wakes that each queue lacks during one sweep; `missing` counts them once a queue."""

    def __init__(self, missing: Callable[[Queue], int]) -> None:
        self._missing = missing
        self._left: dict[Queue, int] = {}

    def take(self, queue: Queue) -> bool:
        """Return whether the queue lacks a wake, and count the one that is sent now."""
        if queue not in self._left:
            self._left[queue] = self._missing(queue)
        self._left[queue] -= 1
        return self._left[queue] >= 0
