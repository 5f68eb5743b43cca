"""Operations on endpoints, the receivers of webhooks, for keys with the scope endpoints."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from api.dispatch import json_response
from api.models import endpoint as models
from api.models.delivery import Resending, Resent
from api.operation import Answer, Call, Operation, Rate
from api.problems import ProblemError
from worker.api_keys.scopes import Scope
from worker.notifications.endpoint import Endpoint, InvalidEndpoint, Kind
from worker.notifications.endpoints import Endpoints as Store
from worker.notifications.event_types import InvalidEvents
from worker.notifications.history import Histories
from worker.notifications.owed_event import OwedEvent
from worker.notifications.signing_keys import SigningKeys
from worker.notifications.target import InvalidTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The handlers of endpoints; `wake` has the notifier look for what is due."""

    store: Store
    histories: Histories
    wake: Callable[[], object]

    def add(self, call: Call) -> Response:
        """Answer POST /v1/endpoints."""
        given: models.EndpointCreation = call.body
        if given.for_jobs is (given.url is not None):
            raise ProblemError("invalid_request", "send either url or for_jobs: true")
        try:
            made, keys = self.store.add(
                call.tenant,
                given.url or "",
                kind=Kind.JOBS if given.for_jobs else Kind.STANDING,
                events=given.events,
                description=given.description,
                ordered=given.ordered,
                prompt=given.prompt,
            )
        except (InvalidEndpoint, InvalidEvents, InvalidTarget) as error:
            raise ProblemError("invalid_request", str(error)) from None
        return _with_keys(made, keys, status=201)

    def list(self, call: Call) -> Response:
        """Answer GET /v1/endpoints."""
        found = [_shown(each) for each in self.store.list(call.tenant)]
        return json_response(models.EndpointList(endpoints=found))

    def get(self, call: Call) -> Response:
        """Answer GET /v1/endpoints/{id}."""
        return json_response(_shown(self._found(call)))

    def rotate(self, call: Call) -> Response:
        """Answer POST /v1/endpoints/{id}:rotate."""
        endpoint = self._found(call)
        try:
            return _with_keys(endpoint, self.store.rotate(endpoint))
        except InvalidEndpoint as error:
            raise ProblemError("wrong_state", str(error)) from None

    def enable(self, call: Call) -> Response:
        """Answer POST /v1/endpoints/{id}:enable."""
        self.store.enable(self._found(call))
        return json_response(_shown(self._found(call)))

    def disable(self, call: Call) -> Response:
        """Answer POST /v1/endpoints/{id}:disable."""
        self.store.disable(self._found(call))
        return json_response(_shown(self._found(call)))

    def remove(self, call: Call) -> Response:
        """Answer DELETE /v1/endpoints/{id}."""
        self.store.remove(self._found(call))
        return Response(status_code=204)

    def test(self, call: Call) -> Response:
        """Answer POST /v1/endpoints/{id}:test: the notifier sends it, as it may reach receivers."""
        endpoint = self._enabled(call)
        if not endpoint.url or endpoint.kind is not Kind.STANDING:
            detail = "the endpoint has no address of its own; a job that names one tries its keys"
            raise ProblemError("wrong_state", detail)
        now = time.time()
        event = OwedEvent.test(endpoint.id, int(now * 1000) % 10**9, now)
        self.histories.send(endpoint.id, event)
        self.wake()
        name = f"{endpoint.id}.{event.subject}.{event.n}"
        return json_response(models.Sample(delivery=name), status=202)

    def resend(self, call: Call) -> Response:
        """Answer POST /v1/endpoints/{id}:resend."""
        wish: Resending = call.body
        endpoint = self._enabled(call)
        sent, _ = self.histories.resend_since(endpoint, wish.since, delivered=wish.delivered)
        self.wake()
        return json_response(Resent(resent=sent))

    def _found(self, call: Call) -> Endpoint:
        found = self.store.get(call.request.path_params["id"], call.tenant)
        if found is None:
            detail = "the endpoint does not exist; GET /v1/endpoints lists all of your tenant"
            raise ProblemError("not_found", detail)
        return found

    def _enabled(self, call: Call) -> Endpoint:
        endpoint = self._found(call)
        if not endpoint.enabled:
            raise ProblemError("wrong_state", "the endpoint is disabled; enable it first")
        return endpoint


def _shown(endpoint: Endpoint) -> models.Endpoint:
    return models.Endpoint.model_validate(endpoint.data())


def _with_keys(endpoint: Endpoint, keys: SigningKeys, *, status: int = 200) -> Response:
    made = models.EndpointKeys(
        endpoint=_shown(endpoint), secret=keys.secret, public_key=keys.public_key
    )
    return json_response(made, status=status)


_UNKNOWN = ("not_found",)


def operations(endpoints: Endpoints) -> Sequence[Operation]:
    """Return the operations on endpoints."""
    shown = Answer("The endpoint.", models.Endpoint)
    keys = Answer("The endpoint and its keys.", models.EndpointKeys)
    endpoint_id = {"id": "$response.body#/endpoint/id"}
    links = dict.fromkeys(("getEndpoint", "rotateEndpoint", "removeEndpoint"), endpoint_id)
    created = Answer("The endpoint and its keys.", models.EndpointKeys, links=links)
    own = "/v1/endpoints/{id}"

    def action(
        name: str,
        summary: str,
        handler: Callable[[Call], Response],
        answer: Answer,
        **more: object,
    ) -> Operation:
        values = {
            "method": "POST",
            "path": f"{own}:{name}",
            "name": f"{name}Endpoint",
            "answers": {200: answer},
            "problems": _UNKNOWN,
            **more,
        }
        return Operation(
            summary=summary,
            handler=handler,
            tag="endpoints",
            scope=Scope.ENDPOINTS,
            rate=Rate.CREATE,
            **values,  # type: ignore[arg-type]
        )

    switched = {"problems": (*_UNKNOWN, "wrong_state")}
    return (
        Operation(
            method="POST",
            path="/v1/endpoints",
            name="addEndpoint",
            summary="Have an address be told of jobs",
            description="By signed webhooks: docs/webhooks.md. The secret is shown once.",
            tag="endpoints",
            handler=endpoints.add,
            scope=Scope.ENDPOINTS,
            rate=Rate.CREATE,
            body=models.EndpointCreation,
            answers={201: created},
        ),
        Operation(
            method="GET",
            path="/v1/endpoints",
            name="listEndpoints",
            summary="List endpoints",
            tag="endpoints",
            handler=endpoints.list,
            scope=Scope.ENDPOINTS,
            answers={200: Answer("The endpoints.", models.EndpointList)},
        ),
        action(
            "rotate", "Replace the keys; both sign for a day", endpoints.rotate, keys, **switched
        ),
        action("enable", "Tell an endpoint again", endpoints.enable, shown),
        action("disable", "Tell an endpoint nothing", endpoints.disable, shown),
        action(
            "test",
            "Send a signed sample",
            endpoints.test,
            shown,
            answers={202: Answer("It is sent within seconds.", models.Sample)},
            **switched,
        ),
        action(
            "resend",
            "Send messages since a time again",
            endpoints.resend,
            Answer("How many will be sent.", Resent),
            body=Resending,
            **switched,
        ),
        Operation(
            method="GET",
            path=own,
            name="getEndpoint",
            summary="Read an endpoint",
            tag="endpoints",
            handler=endpoints.get,
            scope=Scope.ENDPOINTS,
            answers={200: shown},
            problems=_UNKNOWN,
        ),
        Operation(
            method="DELETE",
            path=own,
            name="removeEndpoint",
            summary="Forget an endpoint, and what it is owed",
            tag="endpoints",
            handler=endpoints.remove,
            scope=Scope.ENDPOINTS,
            rate=Rate.CREATE,
            answers={204: Answer("It is removed.", media_type="")},
            problems=_UNKNOWN,
        ),
    )
