"""Operations on deliveries: what the tenant's endpoints were told, and sending it again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from api.dispatch import json_response
from api.job_finder import JobFinder
from api.models import delivery as models
from api.operation import Answer, Call, Operation, Rate
from api.problems import ProblemError
from worker.api_keys.scopes import Scope
from worker.notifications.endpoints import Endpoints
from worker.notifications.history import Delivery, Histories, parse_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """The handlers of deliveries; `wake` has the notifier look for what is due."""

    endpoints: Endpoints
    histories: Histories
    finder: JobFinder
    wake: Callable[[], object]

    def list(self, call: Call) -> Response:
        """Answer GET /v1/deliveries."""
        query: models.DeliveriesQuery = call.query
        if query.endpoint is not None:
            self._require(query.endpoint, call.tenant)
        found = self.histories.list(
            call.tenant,
            endpoint=query.endpoint or "",
            job=None if query.job is None else self.finder.find(query.job, call.tenant),
            states=[] if query.state is None else [query.state],
            since=query.since or 0.0,
            limit=query.limit,
        )
        return json_response(models.DeliveryList(deliveries=[_shown(each) for each in found]))

    def get(self, call: Call) -> Response:
        """Answer GET /v1/deliveries/{id}."""
        return json_response(_shown(self._found(call)))

    def resend(self, call: Call) -> Response:
        """Answer POST /v1/deliveries/{id}:resend."""
        done = self.histories.resend(self._found(call))
        if done == "disabled":
            raise ProblemError("wrong_state", "the endpoint is disabled; enable it first")
        self.wake()
        return json_response(_shown(self._found(call)))

    def _found(self, call: Call) -> Delivery:
        parsed = parse_id(call.request.path_params["id"])
        if parsed is not None:
            self._require(parsed[0], call.tenant)
            if (found := self.histories.get(*parsed)) is not None:
                return found
        raise _unknown()

    def _require(self, endpoint: str, tenant: str) -> None:
        if self.endpoints.get(endpoint, tenant) is None:
            raise _unknown()


def _unknown() -> ProblemError:
    return ProblemError("not_found", "it does not exist, or not any more; GET /v1/deliveries")


def _shown(delivery: Delivery) -> models.Delivery:
    return models.Delivery.model_validate(delivery.data())


def operations(deliveries: Deliveries) -> Sequence[Operation]:
    """Return the operations on deliveries."""
    shown = Answer("The delivery.", models.Delivery)
    return (
        Operation(
            method="GET",
            path="/v1/deliveries",
            name="listDeliveries",
            summary="List what endpoints were told",
            description="The latest first. They are kept for 7 days after a success, 30 if dead.",
            tag="endpoints",
            handler=deliveries.list,
            scope=Scope.ENDPOINTS,
            query=models.DeliveriesQuery,
            answers={200: Answer("Deliveries.", models.DeliveryList)},
            problems=("not_found",),
        ),
        Operation(
            method="POST",
            path="/v1/deliveries/{id}:resend",
            name="resendDelivery",
            summary="Send a message again, under its id",
            tag="endpoints",
            handler=deliveries.resend,
            scope=Scope.ENDPOINTS,
            rate=Rate.CREATE,
            answers={200: shown},
            problems=("not_found", "wrong_state"),
        ),
        Operation(
            method="GET",
            path="/v1/deliveries/{id}",
            name="getDelivery",
            summary="Read a delivery",
            tag="endpoints",
            handler=deliveries.get,
            scope=Scope.ENDPOINTS,
            answers={200: shown},
            problems=("not_found",),
        ),
    )
