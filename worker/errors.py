"""How a step says that it did not do its work.

Failure
├── Transient   the same step may succeed later
└── Permanent   it will not; the job fails with this reason
"""


class Failure(Exception):
    """A step did not do its work.

    `reason` is one snake_case word for the record, the log and the metrics; `sentence` is what
    a person reads: what happened, to which value, and the cure. Neither ever holds a prompt, a
    key, a token or a signature.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(f"{reason}: {sentence}")
        self.reason = reason
        self.sentence = sentence


class Transient(Failure):
    """The same step may succeed later.

    `after` is the wait in seconds that the peer asked for, `host` the peer, for the log.
    """

    def __init__(
        self, reason: str, sentence: str, *, after: float | None = None, host: str = ""
    ) -> None:
        super().__init__(reason, sentence)
        self.after = after
        self.host = host


class Permanent(Failure):
    """Doing the same step again cannot help; the job ends as FAILED with this reason."""
