"""Messages of falhook's tasks as Celery's send_task writes them, for half of its processor time.

Celery builds each message from nothing: it looks up route, queue and settings, copies the queue's
declaration and declares it. All of that is the same for each message of a task, so it is taken once
from what Celery itself would publish. Only ids and argument are another message's own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from celery import Celery, signals
from kombu import Producer
from kombu.utils.uuid import uuid

from webhook.contract import Task

# Options that differ from message to message; Celery repeats two of the headers among them.
_OWN = frozenset({"correlation_id", "argsrepr", "kwargsrepr"})


class TaskSender:
    """Sends messages of tasks that take one argument; any thread may call it.

    `retry_policy` is Celery's, in addition to the application's own.
    """

    def __init__(
        self, celery: Celery, *, retry_policy: Mapping[str, object] = MappingProxyType({})
    ) -> None:
        self._celery = celery
        self._retry_policy = dict(retry_policy)
        self._prepared: dict[Task, _Prepared] = {}

    def __call__(self, task: Task, argument: object, *, argsrepr: str | None = None) -> None:
        """Send the message of a task; raises what kombu raises.

        `argsrepr` is what logs show of the argument, by default all of it.
        """
        with self._celery.producer_or_acquire() as producer:
            self._publish(producer, task, argument, argsrepr)

    def together(self, task: Task, arguments: Iterable[object]) -> None:
        """Send a message of the task for each argument, on Redis in one round trip.

        Raises what kombu raises; some of them may have been sent then.
        """
        with self._celery.producer_or_acquire() as producer, producer.batch():
            for argument in arguments:
                self._publish(producer, task, argument, None)

    def _publish(
        self, producer: Producer, task: Task, argument: object, argsrepr: str | None
    ) -> None:
        shown = f"[{argument!r}]" if argsrepr is None else argsrepr
        if signals.before_task_publish.receivers or signals.after_task_publish.receivers:
            # Somebody, such as a tracing library, adds to the messages of this process.
            self._send_as_celery(task, argument, shown, producer=producer)
            return
        prepared = self._prepared.get(task) or self._prepare(task)
        prepared.publish(producer, argument, shown)

    def _prepare(self, task: Task) -> "_Prepared":
        recorder = _Recorder()
        self._send_as_celery(task, None, "", producer=recorder)
        prepared = self._prepared[task] = recorder.prepared()
        return prepared

    def _send_as_celery(self, task: Task, argument: object, shown: str, **more: Any) -> None:
        self._celery.send_task(
            task,
            args=[argument],
            argsrepr=shown,
            kwargsrepr="{}",
            retry=True,
            retry_policy=self._retry_policy,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """What Celery publishes for a task; `declared` are the queues that must exist, `rest` follows
    the arguments in the body."""

    rest: tuple[object, ...]
    headers: Mapping[str, object]
    declared: Sequence[object]
    options: Mapping[str, Any]

    def publish(self, producer: Producer, argument: object, shown: str) -> None:
        """Publish the message of one argument."""
        identity = uuid()
        connection: Any = producer.connection
        # kombu would find the same, but only after it has copied the declarations.
        is_declared = connection.declared_entities.issuperset(map(hash, self.declared))
        producer.publish(
            ([argument], *self.rest),
            headers={**self.headers, "id": identity, "root_id": identity, "argsrepr": shown},
            correlation_id=identity,
            **{**self.options, "declare": [] if is_declared else list(self.declared)},
        )


class _Recorder:
    """Stands in for a producer, and keeps what Celery would have published."""

    def __init__(self) -> None:
        self.connection = self

    @contextmanager
    def _reraise_as_library_errors(self) -> Iterator[None]:
        yield

    def publish(self, body: tuple[object, ...], **options: Any) -> None:
        """Keep a message."""
        self._body = body
        self._headers = options.pop("headers")
        self._declared = options.pop("declare")
        self._options = {name: each for name, each in options.items() if name not in _OWN}

    def prepared(self) -> _Prepared:
        """Return what was published."""
        return _Prepared(
            rest=self._body[1:],
            headers=self._headers,
            declared=self._declared,
            options=self._options,
        )
