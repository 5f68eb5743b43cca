"""The catalogue of endpoints: what each takes, gives and costs, known before the POST.

fal takes bad input at submit and fails it later through the callback, and may bill it, so that
everything is checked here first: https://fal.ai/docs/errors.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType

from worker.catalogue.endpoint import Endpoint, Status
from worker.catalogue.errors import (
    BrokenCatalogue,
    InputProblem,
    InvalidArguments,
    RequestRejected,
    UnknownEndpoint,
    UnknownSchema,
    WithdrawnEndpoint,
)
from worker.catalogue.examples import Row, rows
from worker.catalogue.files import build, reader
from worker.catalogue.files.forms import CatalogueFile
from worker.catalogue.input_index import InputIndex
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.prices import Estimate, Price

__all__ = [
    "BrokenCatalogue",
    "Catalogue",
    "Estimate",
    "Input",
    "InvalidArguments",
    "InputType",
    "Endpoint",
    "Price",
    "InputProblem",
    "RequestRejected",
    "Row",
    "Status",
    "UnknownEndpoint",
    "UnknownSchema",
    "WithdrawnEndpoint",
    "rows",
    "sheet_with",
]

_PACKAGED = Path(__file__).parent / "data"
_GUESSES = 2
# What can be pasted as it is, and is not in every other id.
_WORD = re.compile(r"[A-Za-z0-9][\w./-]{2,99}", re.ASCII)
_PREFIXES = ("https://queue.fal.run/", "https://fal.run/", "https://fal.ai/models/")


class Catalogue:
    """Endpoints by their id; does not change once made."""

    def __init__(self, models: Iterable[Endpoint]) -> None:
        all_of_them = tuple(models)
        served = [model for model in all_of_them if model.status is not Status.WITHDRAWN]
        names = InputIndex({model.endpoint: model.inputs for model in served})
        self._models = MappingProxyType(
            {model.endpoint: replace(model, names=names) for model in all_of_them}
        )

    @classmethod
    def load(cls, extra: Path | None = None) -> "Catalogue":
        """The catalogue of this package, read once; with `extra`, and a directory's files over it.

        Raises BrokenCatalogue, naming file and key.
        """
        return _packaged() if extra is None else cls(build.models(sheet_with(extra)))

    def find(self, endpoint: str) -> Endpoint:
        """The model of that id. Raises UnknownEndpoint with the ids most like it."""
        if endpoint not in self._models:
            if ending := self._ending(endpoint):
                raise UnknownEndpoint(endpoint, ending)
            holding = self.search(endpoint) if _WORD.fullmatch(endpoint) else ()
            raise UnknownEndpoint(endpoint, self._nearest(endpoint), len(holding))
        return self._models[endpoint]

    def search(self, pattern: str = "") -> tuple[Endpoint, ...]:
        """The models that hold every word of `pattern` in their id or request type, by id."""
        words = pattern.casefold().split()
        found = [model for model in self._models.values() if _holds(model, words)]
        return tuple(sorted(found, key=lambda model: model.endpoint))

    def _ending(self, asked: str) -> list[str]:
        """The ids that end with the steps asked for, where they are so few that one is meant."""
        wanted = f"/{_id(asked)}"
        found = [endpoint for endpoint in self._models if endpoint.endswith(wanted)]
        return found if len(found) <= _GUESSES else []

    def _nearest(self, asked: str) -> list[str]:
        return get_close_matches(_id(asked), self._models, n=_GUESSES, cutoff=0.7)


def _id(asked: str) -> str:
    wanted = asked[:200].strip().lower()
    for prefix in _PREFIXES:
        wanted = wanted.removeprefix(prefix)
    return wanted.strip("/")


def _holds(model: Endpoint, words: list[str]) -> bool:
    text = f"{model.endpoint} {model.request_type}".casefold()
    return all(word in text for word in words)


@cache
def _packaged() -> Catalogue:
    return Catalogue(build.models(reader.read([_PACKAGED])))


def sheet_with(extra: Path) -> CatalogueFile:
    """The rows of this package with a directory's own over them. Raises BrokenCatalogue."""
    return reader.read([_PACKAGED, extra])
