"""Requests for jobs: unchecked, validated, and rejected ones.

JobRequest      what a caller sends, of any type
DraftJob        a valid request as a job that is not stored yet
InvalidRequest  several parts of a request are invalid
InvalidJobId    its id is invalid, or belongs to another job
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webhook.contract import JOB_ID
from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import InputProblem, RequestRejected
from worker.catalogue.prices import Estimate
from worker.jobs.job import Job, new_job_id
from worker.jobs.tenant import DEFAULT
from worker.operations.staged_files import StagedFiles
from worker.text import shorten
from worker.types import Json

# The part of a fingerprint that stands for the whole request as it was sent: two that differ in
# it may be equal once they are validated.
AS_SENT = ""
_LONGEST_ID_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A request for a job, not validated yet.

    `unchecked` accepts any endpoint of fal and any inputs. `unknown` names fields of the message
    that a request does not have. `fingerprint` is kept on the job, as `Job.fingerprint`.
    """

    endpoint: str
    arguments: Mapping[str, object]
    metadata: Mapping[str, Json] = field(default_factory=dict)
    job_id: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    unchecked: bool = False
    tenant: str = DEFAULT
    fingerprint: str = ""
    # The address that is told of the job's end.
    notify: str | None = None
    # The caller's trace, if it has one: worker/traces/context.py.
    traceparent: str | None = None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftJob:
    """A valid job that is not stored yet, with the local files it needs."""

    job: Job
    staged: StagedFiles
    model: Endpoint

    @property
    def estimate(self) -> Estimate | None:
        """What the job should cost; None if that is unknown beforehand."""
        return self.model.estimate(self.job.arguments)


class InvalidJobId(Exception):
    """An id under which the job cannot be created; the message has the correction."""

    reason = "bad_job"
    problems: tuple[InputProblem, ...] = ()


class InvalidRequest(RequestRejected):
    """Several rejections of one request; the first one's reason code is used."""

    def __init__(self, rejections: Sequence[RequestRejected | InvalidJobId]) -> None:
        super().__init__(rejections[0].reason, "\n".join(map(str, rejections)))
        self.problems = tuple(problem for rejection in rejections for problem in rejection.problems)


def checked_id(job_id: str | None) -> str:
    """Return the id, or a new one for None. Raises InvalidJobId for a malformed one."""
    if job_id is None:
        return new_job_id()
    if not isinstance(job_id, str) or JOB_ID.fullmatch(job_id) is None:
        raise InvalidJobId(
            f"job id '{shorten(str(job_id), _LONGEST_ID_SHOWN)}' is malformed: use 1 to 64 "
            "letters, digits, - and _, beginning with a letter or digit"
        )
    return job_id


def canonical(value: object) -> object:
    """Return the value with every number as text, since fal reads 5, 5.0 and "5" as equal lengths.

    So a file of jobs gives the same ids with or without validation, as CSV or as JSON.
    """
    match value:
        case bool():
            return value
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case list():
            return [canonical(item) for item in value]
        case Mapping():
            return {name: canonical(member) for name, member in value.items()}
    return value
