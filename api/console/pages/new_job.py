"""Creating a job: the form of an endpoint, its price, and only then the job."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from starlette.responses import RedirectResponse, Response

from api.console.forms import Form
from api.console.job_form import (
    FILE,
    arguments_of,
    example_texts,
    fields_of,
    metadata_of,
    texts_of,
)
from api.console.rendering import Renderer
from api.console.visit import Page, Visit
from api.creation import Creation
from api.models.creation import JobCreation, Trial
from api.problems import ProblemError
from api.routes.uploads import Uploads
from api.upload_inputs import inputs_for
from worker.api_keys.scopes import Scope
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import Endpoint, Status
from worker.catalogue.errors import RequestRejected

# A form with its files, which are in memory while it is read.
FORM_BYTES = 32 * 1024 * 1024
_USABLE = frozenset({Status.LISTED, Status.DEPRECATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filled:
    """A form as it was filled in, and what is known about it."""

    texts: Mapping[str, str]
    metadata: str = ""
    faults: Mapping[str, str] = ()  # type: ignore[assignment]
    others: Sequence[str] = ()
    cost: str = ""
    usd: str = ""


class _Received:
    """A file that is in memory already."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def write(self, path: Path) -> str:
        """Write the file; return its sha256, hexadecimal."""
        path.write_bytes(self._content)
        return hashlib.sha256(self._content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """The handlers of the form."""

    catalogue: Catalogue
    creation: Creation
    uploads: Uploads
    renderer: Renderer

    def choose(self, visit: Visit) -> Response:
        """Answer GET /console/new: the endpoints, or the form of one."""
        name = visit.query.get("endpoint", "").strip()
        if name:
            model = self.catalogue.find(name)
            return self._form(visit, model, _Filled(texts=example_texts(model)))
        search = visit.query.get("search", "").strip()
        found = [
            model for model in self.catalogue.search(search) if model.current_status in _USABLE
        ]
        return self.renderer.page(visit, "choose.html", models=found, search=search)

    def send(self, visit: Visit) -> Response:
        """Answer POST /console/new: show the price, and create a job whose price was shown."""
        model = self.catalogue.find(visit.form.text("endpoint"))
        texts, faults = self._with_files(visit.form, model)
        arguments, more = arguments_of(model, texts)
        filled = _Filled(
            texts=texts, metadata=visit.form.text("metadata"), faults={**more, **faults}
        )
        try:
            metadata = metadata_of(filled.metadata)
        except ValueError as error:
            return self._form(visit, model, replace(filled, others=[f"metadata: {error}"]), 422)
        if filled.faults:
            return self._form(visit, model, filled, 422)
        given = JobCreation(endpoint=model.endpoint, arguments=arguments, metadata=dict(metadata))
        return self._checked(visit, model, given, filled)

    def _checked(
        self, visit: Visit, model: Endpoint, given: JobCreation, filled: _Filled
    ) -> Response:
        trial = given.model_copy(update={"dry_run": True})
        try:
            made = self.creation.create(trial, tenant=visit.tenant, key=None)
        except RequestRejected as rejected:
            return self._form(visit, model, _blamed(filled, model, rejected), 422)
        assert isinstance(made, Trial)
        usd = made.estimate.usd if made.estimate else ""
        filled = replace(filled, cost=made.cost, usd=usd)
        if visit.form.text("step") != "create" or visit.form.text("shown") != made.cost:
            return self._form(visit, model, filled)
        key = f"console {visit.form.text('key')[:64]}"
        created = self.creation.create(given, tenant=visit.tenant, key=key)
        assert not isinstance(created, Trial)
        return RedirectResponse(
            f"/console/jobs/{created.job.id}?done=created", HTTPStatus.SEE_OTHER
        )

    def _with_files(
        self, form: Form, model: Endpoint
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Store the chosen files; return the texts with their addresses, and what is wrong."""
        texts, faults = dict(texts_of(form)), {}
        for field, content in form.files.items():
            name = field.removeprefix(FILE)
            try:
                inputs = inputs_for(self.catalogue, model.endpoint, name)
                texts[name] = self.uploads.take(_Received(content), inputs).url
            except ProblemError as problem:
                faults[name] = problem.detail
        return texts, faults

    def _form(self, visit: Visit, model: Endpoint, filled: _Filled, status: int = 200) -> Response:
        faults = filled.faults or {}
        return self.renderer.page(
            visit,
            "new.html",
            status=status if visit.form.text("step") != "price" else 200,
            model=model,
            fields=fields_of(model, filled.texts, faults),
            filled=filled,
            key=visit.form.text("key") or secrets.token_hex(16),
        )


def _blamed(filled: _Filled, model: Endpoint, rejected: RequestRejected) -> _Filled:
    """Return the form with each problem at its field, and the others above."""
    names = {item.name for item in model.inputs}
    faults: dict[str, str] = {}
    others = []
    for problem in rejected.problems:
        name = problem.path.removeprefix("arguments.").partition("[")[0].partition(".")[0]
        if name in names:
            faults[name] = f"{problem.message}{f'; {problem.hint}' if problem.hint else ''}"
        else:
            others.append(str(problem))
    return replace(filled, faults=faults, others=others or ([] if faults else [str(rejected)]))


def pages(new_job: NewJob) -> Sequence[Page]:
    """Return the pages of the form."""
    path, scope = "/console/new", Scope.CREATE
    return (
        Page(method="GET", path=path, name="newJob", handler=new_job.choose, scope=scope),
        Page(
            method="POST",
            path=path,
            name="createJob",
            handler=new_job.send,
            scope=scope,
            form_bytes=FORM_BYTES,
        ),
    )
