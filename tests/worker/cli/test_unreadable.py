"""Records that cannot be read: named with the cure, and never in the way of the others."""

import json

import pytest
from click.testing import CliRunner, Result

from tests.factories.world import World
from worker.cli.main import cli
from worker.jobs.store import job_key

PROMPT = "A secret fox"


@pytest.fixture
def world(world: World) -> World:
    """Three jobs; the one in the middle is broken."""
    for job_id in ("first", "broken", "last"):
        world.add(job_id)
        world.clock.forward(1)
    return world


def falhook(redis_url: str, *arguments: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(cli, arguments, env={"REDIS_URL": redis_url})


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("state", "FLYING", "its field state is not a state"),
        ("attempt", PROMPT, "its field attempt is not a number"),
        ("arguments", f'{{"prompt": "{PROMPT}', "its field arguments is not JSON"),
        ("endpoint", None, "it has no field endpoint"),
    ],
)
def test_a_list_has_the_others_and_names_the_bad_one(
    world: World, redis_url: str, field: str, value: str | None, fault: str
) -> None:
    """Id, fault and cure are on standard error, without the value; the table has the others."""
    key = job_key("broken")
    if value is None:
        world.store.redis.hdel(key, field)
    else:
        world.store.redis.hset(key, field, value)
    listed, one = falhook(redis_url, "list"), falhook(redis_url, "show", "broken")
    assert ["last", "first"] == [line.split()[0] for line in listed.stdout.splitlines()[1:]]
    assert f"The record of job broken cannot be read: {fault}. Correct it" in listed.stderr
    assert (0, 2) == (listed.exit_code, one.exit_code)
    assert [fault in one.stderr, key in one.stderr] == [True, True]
    assert PROMPT not in listed.output + one.output


def test_json_has_an_error_for_it(world: World, redis_url: str) -> None:
    """Each line is one object with an id; that of the bad record has an error and no state."""
    world.store.redis.hset(job_key("broken"), "tries", "x")
    done = falhook(redis_url, "list", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["last", "first", "broken"] == [line["id"] for line in lines]
    assert "unreadable_record" == lines[2]["error"]["reason"]


def test_a_damaged_line_of_a_history_hides_no_other(world: World, redis_url: str) -> None:
    """The job is listed and shown; the damaged event is called unreadable."""
    lines = '{"at": "7.5"\n{"at":"8","name":"moved"}\n'
    world.store.redis.hset(job_key("broken"), "history", lines)
    shown = json.loads(falhook(redis_url, "show", "broken", "--json").stdout)
    assert ["unreadable", "moved"] == [event["name"] for event in shown["history"]]
    assert 0 == falhook(redis_url, "list").exit_code
