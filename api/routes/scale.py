"""The signal by which pools of workers are made larger and smaller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from api.dispatch import json_response
from api.models.scale import Pool, ScaleQuery
from api.models.scale import Scale as ScaleBody
from api.operation import Answer, Call, Operation
from worker.api_keys.scopes import Scope
from worker.jobs.job import JobState
from worker.jobs.listing import count
from worker.jobs.store import JobStore

# A job is in the state that a step takes until the step is over, so that those at work count.
STATES: Mapping[Pool, tuple[JobState, ...]] = {
    Pool.MEDIA: (JobState.DOWNLOADED,),
    Pool.PUBLISH: (JobState.RENDERED, JobState.TAGGED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The handler of the signal."""

    store: JobStore

    def get_scale(self, call: Call) -> Response:
        """Answer GET /v1/scale."""
        query: ScaleQuery = call.query
        jobs = sum(count(self.store.redis, STATES[query.pool]).values())
        return json_response(ScaleBody(pool=query.pool, jobs=jobs, at=self.store.clock()))


def operations(scale: Scale) -> Sequence[Operation]:
    """Return the operation on scale."""
    return (
        Operation(
            method="GET",
            path="/v1/scale",
            name="getScale",
            summary="Count the work of a pool of workers, for an autoscaler",
            tag="stats",
            handler=scale.get_scale,
            scope=Scope.SCALE,
            query=ScaleQuery,
            answers={200: Answer("The work of the pool.", ScaleBody)},
        ),
    )
