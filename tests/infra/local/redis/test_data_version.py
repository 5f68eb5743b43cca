"""A data directory belongs to one server and version."""

import json
from pathlib import Path
from typing import cast

import pytest
import redis

from infra.local.redis.binary import RedisNotStarted, find_binary
from infra.local.redis.data_version import RECORD, ServerVersion
from infra.local.redis.server import RedisServer


def program(path: Path, version: str) -> Path:
    """A server of another version: the real one, which calls itself differently."""
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "{version} sha=0" && exit\n'
        f'exec "{find_binary()}" "$@"\n'
    )
    path.chmod(0o755)
    return path


def keys(directory: Path, binary: Path | None = None) -> list[bytes]:
    """Start a server on the directory, add a key and return all keys."""
    with (
        RedisServer.start(directory, binary=binary) as server,
        redis.Redis.from_url(server.url) as client,
    ):
        client.rpush("job", "1")
        return cast(list[bytes], client.lrange("job", 0, -1))


def test_the_program_that_wrote_the_data_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer one that appears on PATH does not convert the data."""
    directory = tmp_path / "redis"
    first = find_binary()
    keys(directory)
    newer = program(tmp_path / "redis-server", "Redis server v=99.0.0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert newer == find_binary()
    assert [b"1", b"1"] == keys(directory)
    assert str(first) == json.loads((directory / RECORD).read_text())["program"]


@pytest.mark.parametrize("version", ["Redis server v=99.0.1", "Valkey server v=1.0.0"])
def test_data_of_a_newer_or_another_server_is_refused(tmp_path: Path, version: str) -> None:
    """It would start empty; the sentence names both versions and the cure, and nothing changes."""
    directory = tmp_path / "redis"
    newer = program(tmp_path / "newer", version)
    keys(directory, newer)
    newer.unlink()
    wrote = version.replace(" server v=", " ")
    with pytest.raises(RedisNotStarted, match=rf"written by {wrote}.*Put .* or move") as refused:
        RedisServer.start(directory)
    assert str(ServerVersion.of(find_binary())) in str(refused.value)
    newer = program(tmp_path / "newer", version)
    assert [b"1", b"1"] == keys(directory)


def test_an_older_record_is_replaced(tmp_path: Path) -> None:
    """A newer version of the same product reads the data, and the directory is its own then."""
    directory = tmp_path / "redis"
    older = program(tmp_path / "older", "Redis server v=1.0.0")
    keys(directory, older)
    older.unlink()
    assert [b"1", b"1"] == keys(directory)
    assert str(find_binary()) == json.loads((directory / RECORD).read_text())["program"]


def test_a_newer_format_without_a_record_is_recognised(tmp_path: Path) -> None:
    """Directories from before the record: the embedded server does not know appendonlydir."""
    (tmp_path / "appendonlydir").mkdir()
    older = program(tmp_path / "older", "Redis server v=6.2.14")
    with pytest.raises(RedisNotStarted, match="written by version 7 or newer"):
        RedisServer.start(tmp_path, binary=older)
