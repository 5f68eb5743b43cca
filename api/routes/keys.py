"""Operations on API keys, for keys with the scope admin."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.dispatch import json_response
from api.models.key import Key, KeyCreation, KeyList, NewKey
from api.operation import Answer, Call, Operation, Rate
from api.problems import ProblemError
from worker.api_keys.api_key import InvalidKey
from worker.api_keys.scopes import Scope
from worker.api_keys.store import ApiKeys
from worker.jobs.tenant import InvalidTenant, checked_tenant


class KeysQuery(BaseModel):
    """Which keys to list."""

    model_config = ConfigDict(extra="forbid")

    tenant: str | None = Field(default=None, description="Only those of this tenant.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The handlers of keys."""

    keys: ApiKeys

    def create_key(self, call: Call) -> Response:
        """Answer POST /v1/keys."""
        given: KeyCreation = call.body
        try:
            tenant = checked_tenant(given.tenant or call.tenant)
            key, token = self.keys.add(
                given.name,
                tenant=tenant,
                scopes=given.scopes,
                expires_at=given.expires_at,
            )
        except (InvalidKey, InvalidTenant) as error:
            raise ProblemError("invalid_request", str(error)) from None
        made = NewKey(key=Key.model_validate(key.data()), token=token.text)
        return json_response(made, status=201)

    def list_keys(self, call: Call) -> Response:
        """Answer GET /v1/keys."""
        query: KeysQuery = call.query
        found = self.keys.list(query.tenant)
        return json_response(KeyList(keys=[Key.model_validate(key.data()) for key in found]))

    def revoke_key(self, call: Call) -> Response:
        """Answer DELETE /v1/keys/{id}."""
        key_id = call.request.path_params["id"]
        if not self.keys.revoke(key_id):
            raise ProblemError("not_found", "the key does not exist; GET /v1/keys lists all")
        return Response(status_code=204)


def operations(keys: Keys) -> Sequence[Operation]:
    """Return the operations on keys."""
    return (
        Operation(
            method="POST",
            path="/v1/keys",
            name="createKey",
            summary="Make an API key of any tenant",
            tag="keys",
            handler=keys.create_key,
            scope=Scope.ADMIN,
            rate=Rate.CREATE,
            body=KeyCreation,
            answers={201: Answer("The key, and its token.", NewKey)},
        ),
        Operation(
            method="GET",
            path="/v1/keys",
            name="listKeys",
            summary="List API keys",
            tag="keys",
            handler=keys.list_keys,
            scope=Scope.ADMIN,
            query=KeysQuery,
            answers={200: Answer("The keys.", KeyList)},
        ),
        Operation(
            method="DELETE",
            path="/v1/keys/{id}",
            name="revokeKey",
            summary="Revoke an API key",
            description="It is refused everywhere within a second.",
            tag="keys",
            handler=keys.revoke_key,
            scope=Scope.ADMIN,
            rate=Rate.CREATE,
            answers={204: Answer("It is revoked.", media_type="")},
            problems=("not_found",),
        ),
    )
