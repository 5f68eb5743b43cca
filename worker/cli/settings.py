"""`falhook settings`: every setting and its description, also as the documents list them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from worker.cli.console import json_option, print_json

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


@click.command()
@click.option("--as", "form", type=click.Choice(["table", "env", "markdown"]), default="table")
@json_option
def settings(form: str, as_json: bool) -> None:
    """List every setting; --as env and markdown print infra/env.example, docs/settings.md."""
    if as_json:
        print_json(data())
    else:
        click.echo({"table": table, "env": env_example, "markdown": markdown}[form](), nl=False)


def _fields() -> Iterator[tuple[str, str, "FieldInfo"]]:
    from worker.settings.every import every_setting

    for name, field in every_setting().items():
        default = "" if field.is_required() or field.default is None else str(field.default)
        yield name, default, field


def data() -> list[dict[str, object]]:
    """Return the name, requirement, default and description of every setting, for JSON output."""
    return [
        {
            "name": name,
            "required": field.is_required(),
            "default": default or None,
            "description": field.description,
        }
        for name, default, field in _fields()
    ]


def table() -> str:
    """Return every setting as text, with its default or that it is required."""
    parts = []
    for name, default, field in _fields():
        note = "required" if field.is_required() else f"default: {default}" if default else ""
        parts.append(f"{name}{note and f'  ({note})'}\n    {field.description}\n")
    return "".join(parts)


def env_example() -> str:
    """Return the content of infra/env.example: optional settings commented out, with defaults."""
    parts = []
    for name, default, field in _fields():
        mark = "" if field.is_required() else "#"
        parts.append(f"# {field.description}\n{mark}{name}={default}\n")
    return "\n".join(parts)


def markdown() -> str:
    """Return the table of docs/settings.md."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name, default, field in _fields():
        cell = "**required**" if field.is_required() else f"`{default}`" if default else ""
        lines.append(f"| `{name}` | {cell} | {field.description} |")
    return "\n".join(lines) + "\n"
