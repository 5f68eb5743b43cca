"""`falhook keys`: a token is shown once, keys are listed without it, and end when told to."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from redis import Redis

from tests.factories.api_keys import SECRET
from tests.factories.cli import Run
from tests.worker.cli.completion.test_completion import offered
from worker.api_keys.api_key import ApiKey
from worker.api_keys.scopes import USUAL, Scope
from worker.api_keys.store import ApiKeys
from worker.api_keys.token import Token
from worker.jobs.store import connect

Add = Callable[..., Result]


@pytest.fixture
def add(run: Run) -> Add:
    """A function that runs `falhook keys add`."""
    return lambda *arguments: run("keys", "add", *arguments, FALHOOK_SECRET=SECRET)


def made(add: Add, *arguments: str) -> dict[str, Any]:
    """Return the key that was made, with its token."""
    done = add(*arguments, "--json")
    assert (0, "") == (done.exit_code, done.stderr)
    key: dict[str, Any] = json.loads(done.stdout)
    return key


def found(redis_url: str, token: str) -> ApiKey | None:
    """Return the valid key with this token."""
    with connect(redis_url) as redis:
        return ApiKeys(redis, (SECRET,)).find(token)


def test_the_token_is_printed_alone_and_once(add: Add, run: Run, redis_url: str) -> None:
    """Standard output can go into a file; what the key is, and that nothing shows it again, not."""
    done = add("web-shop")
    token = done.stdout.rstrip("\n")
    key = found(redis_url, token)
    assert key is not None
    assert ("web-shop", "default", USUAL, None) == (
        key.name,
        key.tenant,
        key.scopes,
        key.expires_at,
    )
    assert (True, True) == (key.id in done.stderr, "It is not shown again." in done.stderr)
    for again in (run("keys", "list"), run("keys", "list", "--json")):
        assert (True, False) == (key.id in again.stdout, token in again.output)


def test_what_was_asked_for(add: Add, redis_url: str) -> None:
    """Tenant, scopes and end are those of the flags; the JSON is that of the API."""
    flags = ("--tenant", "acme", "--scope", "jobs:read", "--scope", "events", "--expires", "90d")
    data = made(add, "metrics", *flags)
    key = found(redis_url, data.pop("token"))
    assert key is not None
    assert {**key.data(), "revoked": []} == data
    assert ("acme", frozenset({Scope.READ, Scope.EVENTS})) == (key.tenant, key.scopes)
    assert key.expires_at is not None
    assert 90 * 86_400 == pytest.approx(key.expires_at - key.created_at, abs=1)


def test_replace_revokes_keys_of_the_same_name(add: Add, redis_url: str) -> None:
    """Only those of the tenant; without the flag two keys may have one name while they change."""
    kept = [made(add, "other"), made(add, "local", "--tenant", "acme")]
    old = [made(add, "local"), made(add, "local")]
    assert all(found(redis_url, key["token"]) for key in old)
    new = made(add, "local", "--replace")
    assert [key["id"] for key in old] == new["revoked"]
    assert [None, None] == [found(redis_url, key["token"]) for key in old]
    assert all(found(redis_url, key["token"]) for key in [*kept, new])
    assert new["id"] in add("local", "--replace").stderr


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (("x" * 61,), "1 to 60 printable"),
        (("shop", "--scope", "all"), "'jobs:create', 'jobs:read'"),
        (("shop", "--expires", "soon"), "write 30m, 12h or 90d"),
        (("shop", "--expires", "0d"), "write 30m, 12h or 90d"),
        (("shop", "--tenant", "Acme Inc"), "lower-case letters"),
    ],
)
def test_what_cannot_be_made(add: Add, run: Run, arguments: tuple[str, ...], cure: str) -> None:
    """The error has the cure, and no key is made."""
    done = add(*arguments)
    assert (2, "", True) == (done.exit_code, done.stdout, cure in " ".join(done.stderr.split()))
    assert "No keys yet" in run("keys", "list").stderr


def test_without_a_secret_no_key_can_be_made(run: Run) -> None:
    """The error names the setting; listing and revoking do not need it."""
    done = run("keys", "add", "shop", FALHOOK_SECRET=None)
    assert (2, True) == (done.exit_code, "FALHOOK_SECRET" in done.stderr)


def test_without_redis_the_error_says_so(run: Run) -> None:
    """Each command names REDIS_URL."""
    for arguments in [("add", "shop"), ("list",), ("revoke", "abcdefgh")]:
        done = run("keys", *arguments, REDIS_URL="redis://127.0.0.1:1/0", FALHOOK_SECRET=SECRET)
        assert (2, True) == (done.exit_code, "REDIS_URL cannot be reached" in done.stderr)


def test_a_revoked_key_ends(add: Add, run: Run, redis_url: str) -> None:
    """By its id, or by the token that somebody found."""
    first, second, third = (made(add, name) for name in ("one", "two", "three"))
    done = run("keys", "revoke", first["id"], second["token"])
    assert [f"{first['id']} (one, tenant default) is revoked."] == done.stdout.splitlines()[:1]
    keys = [found(redis_url, key["token"]) for key in (first, second, third)]
    assert [None, None, third["id"]] == [key and key.id for key in keys]
    assert {"revoked": [third["id"]]} == json.loads(
        run("keys", "revoke", third["id"], "--json").stdout
    )


def test_what_cannot_be_revoked(add: Add, run: Run, redis_url: str) -> None:
    """An unknown id revokes none of the others; no error repeats a token."""
    key = made(add, "shop")
    unknown = run("keys", "revoke", key["id"], "unknown1")
    assert (2, True) == (unknown.exit_code, "unknown1 does not exist" in unknown.stderr)
    for text in (key["token"][:-1], Token.make().text):
        done = run("keys", "revoke", text)
        assert (2, False) == (done.exit_code, text in done.stderr)
    assert found(redis_url, key["token"])


def test_the_list(add: Add, run: Run, redis_url: str) -> None:
    """A line a key; revoked ones only with --all."""
    first = made(add, "one", "--expires", "1d")
    gone = made(add, "gone", "--tenant", "acme")
    run("keys", "revoke", gone["id"])
    with connect(redis_url) as redis:
        keys = ApiKeys(redis, (SECRET,), clock=lambda: 1_700_000_000.0)
        keys.note_use(keys.list()[0])
    heading, line = run("keys", "list").stdout.splitlines()
    assert "id        name  tenant   scopes" == heading[:31]
    expected = [first["id"], "one", "default", "2023-11-14 22:13", "valid"]
    assert [] == [text for text in expected if text not in line]
    every = [
        json.loads(line) for line in run("keys", "list", "--all", "--json").stdout.splitlines()
    ]
    assert ["valid", "revoked"] == [key["state"] for key in every]
    of_acme = run("keys", "list", "--all", "--tenant", "acme").stdout.splitlines()
    assert (2, True) == (len(of_acme), gone["id"] in of_acme[1])
    assert "No keys of tenant acme." in run("keys", "list", "--tenant", "acme").stderr


def test_a_terminal_has_a_table(add: Add, run: Run) -> None:
    """A name that looks like markup is printed as it is."""
    made(add, "[red]shop")
    assert "[red]shop" in run("keys", "list", FORCE_COLOR="1", COLUMNS="160").stdout


def test_ids_are_completed(add: Add, redis_url: str) -> None:
    """Tab offers the keys that can be revoked, without those that are typed already."""
    keys = [made(add, name) for name in ("one", "two", "three")]
    with Redis.from_url(redis_url) as redis:
        ApiKeys(redis).revoke(keys[0]["id"])
    text = f"falhook keys revoke {keys[1]['id']} "
    assert [keys[2]["id"]] == offered(text, REDIS_URL=redis_url)
    assert [] == offered(text, REDIS_URL="redis://127.0.0.1:1/0")
    assert ["jobs:create", "jobs:read", "jobs:act"] == offered("falhook keys add a --scope jobs")
