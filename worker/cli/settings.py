"""`falhook settings`: every setting and its description, also as the documents list them."""

import click

from worker.cli.console import json_option, print_json
from worker.settings.listed import listed


@click.command()
@click.option("--as", "form", type=click.Choice(["table", "env", "markdown"]), default="table")
@json_option
def settings(form: str, as_json: bool) -> None:
    """List every setting; --as env and markdown print infra/env.example, docs/settings.md."""
    if as_json:
        print_json(data())
    else:
        click.echo({"table": table, "env": env_example, "markdown": markdown}[form](), nl=False)


def data() -> list[dict[str, object]]:
    """Return the name, requirement, default and description of every setting, for JSON output."""
    return [
        {
            "name": setting.name,
            "required": setting.required,
            "default": setting.default or None,
            "description": setting.description,
        }
        for setting in listed()
    ]


def table() -> str:
    """Return every setting as text, with its default or that it is required."""
    parts = []
    for setting in listed():
        default = f"default: {setting.default}" if setting.default else ""
        note = "required" if setting.required else default
        parts.append(f"{setting.name}{note and f'  ({note})'}\n    {setting.description}\n")
    return "".join(parts)


def env_example() -> str:
    """Return the content of infra/env.example: optional settings commented out, with defaults."""
    parts = []
    for setting in listed():
        mark = "" if setting.required else "#"
        parts.append(f"# {setting.description}\n{mark}{setting.name}={setting.default}\n")
    return "\n".join(parts)


def markdown() -> str:
    """Return the table of docs/settings.md."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for setting in listed():
        default = f"`{setting.default}`" if setting.default else ""
        cell = "**required**" if setting.required else default
        lines.append(f"| `{setting.name}` | {cell} | {setting.description} |")
    return "\n".join(lines) + "\n"
