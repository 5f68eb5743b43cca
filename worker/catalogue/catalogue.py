"""The catalogue of endpoints: the inputs, outputs and price of each, known before the POST.

fal accepts bad input at submit, fails the job later through the callback and may bill it. So
everything is checked here first: https://fal.ai/docs/errors.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from worker.catalogue.endpoint import Endpoint, Status
from worker.catalogue.errors import UnknownEndpoint
from worker.catalogue.files import packed
from worker.catalogue.input_index import InputIndex

if TYPE_CHECKING:
    from worker.catalogue.files.forms import CatalogueFile

_DATA = Path(__file__).parent / "data"
_SUGGESTIONS = 2
# Long enough not to be in every id, and safe to paste into a shell unquoted.
_SEARCHABLE = re.compile(r"[A-Za-z0-9][\w./-]{2,99}", re.ASCII)
_PREFIXES = ("https://queue.fal.run/", "https://fal.run/", "https://fal.ai/models/")


class Catalogue:
    """Endpoints by id; immutable."""

    def __init__(self, models: Iterable[Endpoint]) -> None:
        listed = tuple(models)
        served = [model for model in listed if model.status is not Status.WITHDRAWN]
        names = InputIndex({model.endpoint: model.inputs for model in served})
        self._models = MappingProxyType(
            {model.endpoint: replace(model, names=names) for model in listed}
        )

    @classmethod
    def load(cls, extra: Path | None = None) -> "Catalogue":
        """Return the packaged catalogue, overlaid with the files of the directory `extra`.

        The packaged one is read once per process. Raises BrokenCatalogue with file and key.
        """
        return _packaged() if extra is None else cls(declared(extra))

    def find(self, endpoint: str) -> Endpoint:
        """Return the endpoint with this id. Raises UnknownEndpoint with the most similar ids."""
        if endpoint not in self._models:
            if completions := self._completions(endpoint):
                raise UnknownEndpoint(endpoint, completions)
            matches = self.search(endpoint) if _SEARCHABLE.fullmatch(endpoint) else ()
            raise UnknownEndpoint(endpoint, self._nearest(endpoint), len(matches))
        return self._models[endpoint]

    def search(self, pattern: str = "") -> tuple[Endpoint, ...]:
        """Return the endpoints whose id or request type contains every word, sorted by id."""
        words = pattern.casefold().split()
        matches = [model for model in self._models.values() if _matches(model, words)]
        return tuple(sorted(matches, key=lambda model: model.endpoint))

    def _completions(self, requested: str) -> list[str]:
        """Return the ids that end with these steps; none if they are too many to suggest."""
        suffix = f"/{_id(requested)}"
        ids = [endpoint for endpoint in self._models if endpoint.endswith(suffix)]
        return ids if len(ids) <= _SUGGESTIONS else []

    def _nearest(self, requested: str) -> list[str]:
        # Imported when an id is wrong.
        from difflib import get_close_matches  # noqa: PLC0415

        return get_close_matches(_id(requested), self._models, n=_SUGGESTIONS, cutoff=0.7)


def _id(requested: str) -> str:
    """Return the id within a pasted URL or a mistyped id."""
    endpoint = requested[:200].strip().lower()
    for prefix in _PREFIXES:
        endpoint = endpoint.removeprefix(prefix)
    return endpoint.strip("/")


def _matches(model: Endpoint, words: list[str]) -> bool:
    text = f"{model.endpoint} {model.request_type}".casefold()
    return all(word in text for word in words)


@cache
def _packaged() -> Catalogue:
    return Catalogue(packed.read())


def declared(extra: Path | None = None) -> Iterator[Endpoint]:
    """Yield the endpoints of the packaged tables, overlaid with those of `extra`, validated.

    Raises BrokenCatalogue.
    """
    from worker.catalogue.files import build  # noqa: PLC0415

    return build.models(tables_with(extra))


def tables_with(extra: Path | None) -> "CatalogueFile":
    """Return the packaged tables, overlaid with those of a directory. Raises BrokenCatalogue."""
    # Imported here: pydantic validates them, and takes longer than all else that lists endpoints.
    from worker.catalogue.files import reader  # noqa: PLC0415

    return reader.read([_DATA] if extra is None else [_DATA, extra])
