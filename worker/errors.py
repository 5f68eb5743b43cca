"""Why a step did not do its work, and why a process cannot start.

Failure
├── Transient          the same step may succeed later
└── Permanent          it will not; the job fails with this reason
ConfigurationError     the process cannot start with its settings
"""


class Failure(Exception):
    """A step did not do its work.

    `reason` is a reason code in snake_case for the record, the log and the metrics. `sentence`
    is for people: what happened, to which value, and the correction. Neither ever contains a
    prompt, a key, a token or a signature.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(f"{reason}: {sentence}")
        self.reason = reason
        self.sentence = sentence


class Transient(Failure):
    """The same step may succeed later.

    `after` is the wait in seconds that the peer requested; `host` is the peer, for the log.
    """

    def __init__(
        self, reason: str, sentence: str, *, after: float | None = None, host: str = ""
    ) -> None:
        super().__init__(reason, sentence)
        self.after = after
        self.host = host


class Permanent(Failure):
    """The same step would fail again; the job ends as FAILED with this reason."""


class ConfigurationError(Exception):
    """The process cannot start with its settings.

    The message names the setting, its value and the correction. `reason` is the reason code that
    the command line reports.
    """

    reason = "bad_settings"
