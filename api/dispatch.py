"""From a request to its answer: key, scope, limits, fields, then the operation, and its errors."""

import inspect
import json
import re
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.operation import Call, Count, Operation
from api.problems import ProblemError, as_problem
from api.rate_limits import Allowance, RateLimits, header_fields
from api.request_body import parse_json, read_body, require_json
from api.request_log import log_answer
from api.request_threads import RequestThreads
from webhook.log import get_logger
from worker.api_keys.api_key import ApiKey
from worker.api_keys.cached_keys import CachedKeys
from worker.api_keys.scopes import allows
from worker.catalogue.errors import InputProblem, shown

REQUEST_ID = "X-Request-Id"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Ids of requests that brought none: those of this process have its random beginning.
_new_ids = map(f"{secrets.token_hex(5)}{{:06x}}".format, count())

log = get_logger()
# json.dumps makes an encoder for each text.
_as_json = json.JSONEncoder(ensure_ascii=False).encode

_Work: TypeAlias = Callable[[Call, Operation, dict[str, str]], Awaitable[Response]]


class Dispatcher:
    """Carries out operations; `keys` and `limits` decide who may."""

    def __init__(self, *, keys: CachedKeys, limits: RateLimits, threads: RequestThreads) -> None:
        self._keys = keys
        self._limits = limits
        self._threads = threads

    def endpoint(self, operation: Operation) -> ASGIApp:
        """Return the application of the operation's route."""
        waits = inspect.iscoroutinefunction(operation.handler)
        return _Endpoint(self, operation, self._awaited if waits else self._in_thread)

    async def answer(self, request: Request, operation: Operation, work: _Work) -> Response:
        """Return the answer to a request, whatever goes wrong."""
        began = time.monotonic()
        call = Call(request=request, request_id=request_id_of(request))
        headers: dict[str, str] = {}
        try:
            if operation.scope is not None:
                call.key = await self._key(request, operation)
            await _read_fields(call, operation)
            response = await work(call, operation, headers)
        except Exception as error:  # noqa: BLE001  # every error has an answer; a defect is logged
            response = problem_response(
                as_problem(error) or unexpected(error, call.request_id), call.request_id
            )
        for name, value in {**headers, REQUEST_ID: call.request_id}.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        log_answer(call, operation, response, time.monotonic() - began)
        return response

    async def _in_thread(
        self, call: Call, operation: Operation, headers: dict[str, str]
    ) -> Response:
        """Count the request and carry it out, in one thread: each change of threads costs time."""

        def run() -> Response:
            self._count(call, operation, headers)
            response: Response = operation.handler(call)  # type: ignore[assignment]
            return response

        return await self._threads.run(run)

    async def _awaited(self, call: Call, operation: Operation, headers: dict[str, str]) -> Response:
        if operation.counts:
            self._count(call, operation, headers)
        elif call.key is not None:
            await self._threads.run(lambda: self._count(call, operation, headers))
        response: Response = await operation.handler(call)  # type: ignore[misc]
        return response

    async def _key(self, request: Request, operation: Operation) -> ApiKey:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        token = given.strip()
        key = None
        if scheme.lower() == "bearer":
            known, key = self._keys.known(token)
            if not known:
                key = await self._threads.run(lambda: self._keys.find(token))
        if key is None:
            raise _unauthenticated(token)
        assert operation.scope is not None
        if not allows(key.scopes, operation.scope):
            detail = f"the key {key.name} lacks the scope {operation.scope}"
            raise ProblemError("scope", detail)
        return key

    def _count(self, call: Call, operation: Operation, headers: dict[str, str]) -> None:
        """Count the request; add what is left to the headers of the answer. Raises ProblemError."""
        if call.key is None:
            return

        def settle(answer: object) -> None:
            allowance = self._limits.allowance(operation.rate, answer)
            headers.update(header_fields(allowance))
            if not allowance.allowed:
                raise rate_limited(allowance, headers)

        call.count = Count(self._limits.command(call.key.id, operation.rate), settle)
        if not operation.counts:
            settle(self._limits.ask(call.count.command))


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """The application of a route: Starlette would wrap a function into two more."""

    dispatcher: Dispatcher
    operation: Operation
    work: _Work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self.dispatcher.answer(request, self.operation, self.work)
        await response(scope, receive, send)


def _unauthenticated(token: str) -> ProblemError:
    detail = (
        "the API key is unknown, revoked, expired or mistyped"
        if token
        else "send a header Authorization: Bearer fhk_…; `falhook keys add` makes a key"
    )
    return ProblemError("unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def rate_limited(allowance: Allowance, fields: Mapping[str, str]) -> ProblemError:
    """Return the problem of a key that has sent too many requests."""
    policy = allowance.policy
    detail = f"the key may send {policy.rate:g} requests a second of the kind {policy.name}"
    after = allowance.retry_after
    return ProblemError("rate_limited", detail, retry_after=after, headers=fields)


async def _read_fields(call: Call, operation: Operation) -> None:
    """Read the query and the body of the call. Raises ProblemError."""
    if operation.query is not None:
        given = _single_values(call.request)
        call.query = _validated(operation.query, given, strings=True)
    if operation.body is None:
        return
    body = await read_body(call.request, operation.body_bytes)
    if not body and operation.body_optional:
        call.body = operation.body()
    else:
        require_json(call.request)
        call.body = _validated(operation.body, parse_json(body))


def _single_values(request: Request) -> Mapping[str, str]:
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        problems = [
            InputProblem(path=shown(n).strip('"'), value="", message="was sent twice")
            for n in twice
        ]
        raise ProblemError("invalid_request", "a parameter may be sent once", problems=problems)
    return dict(given)


def _validated(model: type[BaseModel], value: object, *, strings: bool = False) -> BaseModel:
    try:
        return model.model_validate_strings(value) if strings else model.model_validate(value)
    except ValidationError as invalid:
        raise invalid_request(invalid) from None


def invalid_request(invalid: ValidationError) -> ProblemError:
    """Return the problem of fields that a model refuses; no value of them is repeated."""
    problems = [
        InputProblem(
            path=".".join(map(_name, error["loc"])) or "body",
            value="",
            message=error["msg"].removeprefix("Value error, ").replace("Input should", "must", 1),
        )
        for error in invalid.errors(include_url=False, include_context=False, include_input=False)
    ]
    sentence = "; ".join(map(str, problems[:10]))
    return ProblemError("invalid_request", sentence, problems=problems)


def _name(part: int | str) -> str:
    # A name that the client invented may be anything, also a misplaced prompt.
    return str(part) if isinstance(part, int) else shown(part).strip('"')


def request_id_of(request: Request) -> str:
    """Return the caller's id of the request if it has one that can be logged, else a new one."""
    given = request.headers.get(REQUEST_ID, "")
    return given if _GIVEN_ID.fullmatch(given) else next(_new_ids)


def unexpected(error: Exception, request_id: str) -> ProblemError:
    """Log an error that is a defect, and return its problem."""
    # The message of an unexpected error may have parts of the request.
    log.error("api.crashed", request=request_id, error=type(error).__name__, where=_where(error))
    detail = "an unexpected error was logged under this request_id; please report it"
    return ProblemError("internal", detail)


def _where(error: BaseException) -> str:
    return "".join(traceback.format_tb(error.__traceback__)[-8:])


def problem_response(problem: ProblemError, request_id: str) -> Response:
    """Return the answer of RFC 9457."""
    headers = dict(problem.headers)
    if problem.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(problem.retry_after + 0.5)))
    return json_response(
        problem.body(request_id),
        status=problem.kind.status,
        headers=headers,
        media_type="application/problem+json",
    )


def json_response(
    content: BaseModel | Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    media_type: str = "application/json",
) -> Response:
    """Return an answer of JSON."""
    data = content.model_dump(mode="json") if isinstance(content, BaseModel) else content
    # A stored text may contain a lone surrogate, which JSON writes as an escape.
    body = _as_json(data).encode(errors="backslashreplace")
    return Response(body, status, dict(headers or {}), media_type)
