"""The OpenAPI document: valid, complete, and exact enough to make requests and clients from."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.redis.server import RedisServer
from tests.factories.apis import RunningApi, api, api_environment
from worker.api_keys.scopes import Scope


@pytest.fixture(scope="module")
def exposed(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApi]:
    """An API without limits of rate."""
    environ = api_environment(redis_server.url, tmp_path_factory.mktemp("api"))
    rates = {"FALHOOK_API_CREATE_RATE": "100000", "FALHOOK_API_READ_RATE": "100000"}
    with api(environ, **rates) as started:
        yield started


@pytest.fixture(scope="module")
def document(exposed: RunningApi) -> Mapping[str, Any]:
    """The document that the process serves."""
    served: Mapping[str, Any] = httpx.get(f"{exposed.url}/openapi.json").json()
    return served


def test_every_operation_has_its_problems(document: Mapping[str, Any]) -> None:
    """Each operation with a key documents 401, 403, 429, 500 and 503."""
    lacking = [
        (method, path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if operation.get("security") != []
        and not {"401", "403", "429", "500", "503"} <= operation["responses"].keys()
    ]
    assert [] == lacking


def test_names_are_unique(document: Mapping[str, Any]) -> None:
    """Each operation has an id of its own, from which generators make names."""
    names = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.timeout(600)
def test_any_request_has_a_documented_answer(exposed: RunningApi, tmp_path: Path) -> None:
    """Requests made from the document, alone and in sequences, get no 5xx and no surprise."""
    token = exposed.token("schemathesis", frozenset({Scope.ADMIN}))
    command = [
        *("schemathesis", "run", f"{exposed.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {token}"),
        *("--phases", "examples,coverage,fuzzing,stateful"),
        *("--mode", "all", "--max-examples", "15", "--seed", "1", "--no-color"),
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,"
        "response_headers_conformance,response_schema_conformance",
    ]
    program = str(Path(sys.executable).with_name(command[0]))
    (tmp_path / "schemathesis.toml").write_text('[parameters]\n"query.wait" = 0.1\n')
    (tmp_path / "lines.py").write_text(_LINES)
    environ = {**os.environ, "SCHEMATHESIS_HOOKS": "lines", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [program, *command[1:]],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=560,
    )
    assert 0 == done.returncode, done.stdout[-12_000:] + done.stderr[-2_000:]


# schemathesis knows no NDJSON, and no endpoint of the catalogue.
_LINES = """
import json
import schemathesis

@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return json.dumps(value).encode() + b"\\n"

@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and isinstance(body.get("endpoint"), str):
        body["endpoint"] = "fal-ai/kling-video/v2.1/master/text-to-video"
        if body.get("arguments") == {}:
            body["arguments"] = {"prompt": "A red fox"}
    return body
"""


def test_a_generated_client_works(
    exposed: RunningApi, document: Mapping[str, Any], tmp_path: Path
) -> None:
    """openapi-python-client makes a client of the document that creates and reads a job."""
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    generator = str(Path(sys.executable).with_name("openapi-python-client"))
    options = ["--path", "openapi.json", "--meta", "none", "--output-path", "falhook_client"]
    subprocess.run(
        [generator, "generate", *options],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=120,
    )
    used = subprocess.run(
        [sys.executable, "-c", _CLIENT],
        cwd=tmp_path,
        env={**os.environ, "API": exposed.url, "KEY": exposed.token("generated")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ("QUEUED QUEUED\n", 0) == (used.stdout, used.returncode), used.stderr


_CLIENT = """
import os
from falhook_client import AuthenticatedClient
from falhook_client.api.jobs import create_job, get_job
from falhook_client.models import Job, JobCreation, JobCreationArguments

client = AuthenticatedClient(base_url=os.environ["API"], token=os.environ["KEY"])
arguments = JobCreationArguments.from_dict({"prompt": "A red fox", "duration": "5"})
body = JobCreation(
    endpoint="fal-ai/kling-video/v2.1/master/text-to-video", arguments=arguments
)
job = create_job.sync(client=client, body=body, idempotency_key="generated")
assert isinstance(job, Job), job
again = get_job.sync(job.id, client=client)
assert isinstance(again, Job), again
print(job.state.value, again.state.value)
"""
