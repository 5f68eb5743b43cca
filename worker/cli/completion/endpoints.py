"""Completion of endpoints, and of their inputs with the values that they allow."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from worker.catalogue.catalogue import Catalogue


def complete_endpoint(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the ids that begin so or, if none does, contain it."""
    del ctx, param
    ids = [model.endpoint for model in _catalogue().search()]
    begin = [endpoint for endpoint in ids if endpoint.startswith(incomplete)]
    return _items(begin or [endpoint for endpoint in ids if incomplete in endpoint])


def complete_input(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return `NAME=` of each input that is not set yet; after the `=`, its allowed values."""
    endpoint = ctx.params.get("endpoint")
    models = {model.endpoint: model for model in _catalogue().search()}
    if endpoint not in models:
        return []
    inputs = {item.name: item for item in models[endpoint].inputs}
    name, equals, value = incomplete.partition("=")
    if equals:
        choices = map(str, inputs[name].choices) if name in inputs else ()
        return _items(f"{name}={choice}" for choice in choices if choice.startswith(value))
    present = {text.partition("=")[0] for text in ctx.params.get(param.name or "") or ()}
    return [
        CompletionItem(f"{item.name}=", help=item.description)
        for item in inputs.values()
        if item.name.startswith(name) and item.name not in present
    ]


def _items(values: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(value) for value in values]


def _catalogue() -> "Catalogue":
    # The settings would import Redis: Tab reads this one variable itself.
    from worker.catalogue.catalogue import Catalogue
    from worker.catalogue.errors import BrokenCatalogue

    own = os.environ.get("FALHOOK_CATALOGUE", "").strip()
    try:
        return Catalogue.load(Path(own) if own and Path(own).is_dir() else None)
    except BrokenCatalogue:
        return Catalogue.load()
