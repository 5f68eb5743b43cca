"""An order of a job, and the draft that follows from one that is good."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webhook.contract import JOB_ID
from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import InputProblem, RequestRejected
from worker.catalogue.prices import Estimate
from worker.jobs.job import Job, new_job_id
from worker.operations.staged_files import StagedFiles
from worker.types import Json


class InvalidJobId(Exception):
    """There can be no job under this id; the message is a sentence with the cure."""

    reason = "bad_job"
    problems: tuple[InputProblem, ...] = ()


class InvalidRequest(RequestRejected):
    """Several parts of an order are wrong: all of them are told; the first gives the reason."""

    def __init__(self, refused: Sequence[RequestRejected | InvalidJobId]) -> None:
        super().__init__(refused[0].reason, "\n".join(map(str, refused)))
        self.problems = tuple(problem for one in refused for problem in one.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a job is asked to be; nothing of it is checked yet.

    `unchecked` takes any endpoint of fal and any inputs. `unknown` are fields that the sender
    gave and no order has.
    """

    endpoint: str
    arguments: Mapping[str, object]
    metadata: Mapping[str, Json] = field(default_factory=dict)
    job_id: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    unchecked: bool = False
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftJob:
    """A job that was checked and not written down yet, and the local files it needs."""

    job: Job
    staged: StagedFiles
    model: Endpoint

    @property
    def estimate(self) -> Estimate | None:
        """What the job should cost, where that is known beforehand."""
        return self.model.estimate(self.job.arguments)


def checked_id(job_id: str | None) -> str:
    """That id, or a fresh one for None. Raises JobRefused for a malformed one."""
    if job_id is None:
        return new_job_id()
    if not isinstance(job_id, str) or JOB_ID.fullmatch(job_id) is None:
        raise InvalidJobId(
            f"job id {str(job_id)[:80]!r} is malformed: use 1 to 64 letters, digits, - and _, "
            "beginning with a letter or digit"
        )
    return job_id


def canonical(value: object) -> object:
    """The value, every number as text: fal takes 5, 5.0 and "5" for the same length.

    So a file that is read again with checks or without, as a table or as JSON, is the same jobs.
    """
    match value:
        case bool():
            return value
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case list():
            return [canonical(one) for one in value]
        case Mapping():
            return {name: canonical(one) for name, one in value.items()}
    return value
