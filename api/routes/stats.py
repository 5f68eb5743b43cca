"""How many jobs are in which state."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from api.dispatch import json_response
from api.models.stats import Stats as StatsBody
from api.operation import Answer, Call, Operation
from worker.api_keys.scopes import Scope
from worker.jobs.store import JobStore
from worker.operations.job_stats import job_stats


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The handler of the numbers of jobs."""

    store: JobStore

    def get_stats(self, call: Call) -> Response:
        """Answer GET /v1/stats."""
        return json_response(StatsBody.model_validate(job_stats(self.store, call.tenant).as_data()))


def operations(stats: Stats) -> Sequence[Operation]:
    """Return the operation on numbers."""
    return (
        Operation(
            method="GET",
            path="/v1/stats",
            name="getStats",
            summary="Count the jobs of each state",
            tag="stats",
            handler=stats.get_stats,
            scope=Scope.READ,
            answers={200: Answer("The numbers of jobs.", StatsBody)},
        ),
    )
