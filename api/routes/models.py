"""fal's endpoints: what each accepts, returns and costs."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from api.conditional import conditional
from api.dispatch import json_response
from api.models.catalogue import Model, ModelList, ModelsQuery, ModelSummary, PriceSource
from api.operation import Answer, Call, Operation
from api.problems import ProblemError
from worker.api_keys.scopes import Scope
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import Endpoint, Status
from worker.catalogue.errors import InputProblem, RequestRejected, UnknownEndpoint, shown
from worker.catalogue.json_schema_document import arguments_schema
from worker.catalogue.summary import summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The handlers of endpoints."""

    catalogue: Catalogue

    async def list_models(self, call: Call) -> Response:
        """Answer GET /v1/models."""
        query: ModelsQuery = call.query
        found = self.catalogue.search(query.search)
        models = [ModelSummary.model_validate(summary(model)) for model in found]
        return conditional(json_response(ModelList(models=models)), call.request)

    async def get_model(self, call: Call) -> Response:
        """Answer GET /v1/models/{id}."""
        try:
            model = self.catalogue.find(call.request.path_params["id"])
        except UnknownEndpoint as unknown:
            raise _unknown(unknown) from None
        return conditional(json_response(_described(model)), call.request)


def _described(model: Endpoint) -> Model:
    try:
        example, unavailable = model.example(), ""
    except RequestRejected as rejected:
        example, unavailable = {}, str(rejected)
    price = model.price
    about = PriceSource(confidence=price.confidence, source=price.source) if price else None
    known = model.current_status is not Status.ANNOUNCED
    return Model.model_validate(
        {
            **summary(model),
            "price_about": about,
            "sources": model.sources,
            "unavailable": unavailable,
            "input_schema": arguments_schema(model) if known else None,
            "example": example,
        }
    )


def _unknown(unknown: UnknownEndpoint) -> ProblemError:
    hint = f"did you mean {' or '.join(unknown.nearest)}?" if unknown.nearest else ""
    problem = InputProblem(
        path="id", value=shown(unknown.endpoint), message="is not in the catalogue", hint=hint
    )
    detail = f"{problem}; GET /v1/models?search=… lists the others"
    return ProblemError("not_found", detail, code=unknown.reason, problems=[problem])


def operations(models: Models) -> Sequence[Operation]:
    """Return the operations on endpoints."""
    etag = {"ETag": "Names this answer: send it as If-None-Match."}
    known = {"If-None-Match": "The ETag of an earlier answer."}
    unchanged = Answer("It has not changed.", media_type="")
    return (
        Operation(
            method="GET",
            path="/v1/models",
            name="listModels",
            summary="List fal's endpoints",
            tag="models",
            handler=models.list_models,
            scope=Scope.READ,
            query=ModelsQuery,
            headers=known,
            answers={200: Answer("The endpoints.", ModelList, headers=etag), 304: unchanged},
        ),
        Operation(
            method="GET",
            path="/v1/models/{id:path}",
            name="getModel",
            summary="Read what an endpoint accepts, returns and costs",
            description="`input_schema` is a JSON Schema of a job's `arguments`.",
            tag="models",
            handler=models.get_model,
            scope=Scope.READ,
            headers=known,
            answers={200: Answer("The endpoint.", Model, headers=etag), 304: unchanged},
            problems=("not_found",),
        ),
    )
