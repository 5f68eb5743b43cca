"""Completion of the ids of API keys that can be revoked."""

import click
from click.shell_completion import CompletionItem


def complete_keys(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the ids that begin so, each with its name and tenant."""
    from redis.exceptions import RedisError

    from webhook.settings.errors import SettingsError
    from worker.cli.keys.store import open_keys

    typed = ctx.params.get(param.name or "") or ()
    try:
        keys = open_keys().list()
    except (SettingsError, RedisError):
        # Tab has no place for an error; the command itself reports it.
        return []
    return [
        CompletionItem(key.id, help=f"{key.name} of {key.tenant}")
        for key in keys
        if key.revoked_at is None and key.id.startswith(incomplete) and key.id not in typed
    ]
