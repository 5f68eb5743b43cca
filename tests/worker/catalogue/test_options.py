"""fal's platform options are validated by name and sent in fal's headers."""

import json
from typing import Any

import pytest

from worker.catalogue.option_errors import InvalidOptions
from worker.catalogue.option_types import LONGEST_LIFE
from worker.catalogue.options import Options, merged


def refused(given: Any) -> dict[str, str]:
    """The problems by path."""
    with pytest.raises(InvalidOptions) as caught:
        Options.read(given)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_every_option_has_its_header() -> None:
    """Every option of fal's platform is sent under its header, with the job's id as a tag."""
    given = {
        "priority": "low",
        "start_timeout": 30,
        "runner_hint": "session 7",
        "no_retry": True,
        "store_io": False,
        "object_lifecycle": {
            "expiration_duration_seconds": "1d",
            "initial_acl": {"default": "allow", "rules": [{"user": "us", "decision": "allow"}]},
        },
        "tags": {"team": "films"},
    }
    lifecycle = {
        "expiration_duration_seconds": 86_400,
        "initial_acl": {"default": "allow", "rules": [{"user": "us", "decision": "allow"}]},
    }
    headers = Options.read(given).headers("job-1")
    stored = headers.pop("X-Fal-Object-Lifecycle-Preference")
    assert stored == headers.pop("X-Fal-Object-Lifecycle")
    assert lifecycle == json.loads(stored)
    expected = {
        "X-Fal-Queue-Priority": "low",
        "X-Fal-Request-Timeout": "30.0",
        "X-Fal-Runner-Hint": "session 7",
        "X-Fal-No-Retry": "1",
        "X-Fal-Store-IO": "0",
        "X-Fal-Tags": "job_id=job-1,team=films",
    }
    assert expected == headers


@pytest.mark.parametrize(
    ("given", "query"),
    [({}, {}), ({"max_queue_length": 0}, {"fal_max_queue_length": "0"})],
)
def test_the_queue_limit_is_a_query_parameter(given: Any, query: Any) -> None:
    """fal reads it from the address of the POST; 0 accepts no waiting request."""
    assert query == Options.read(given).query()


def test_without_options_only_the_job_id_is_sent() -> None:
    """fal's defaults apply to options that are not set."""
    assert {"X-Fal-Tags": "job_id=job-1"} == Options.read(None).headers("job-1")


def test_never_is_sent_as_null() -> None:
    """Leaving it out would mean the account's default instead."""
    options = Options.read({"object_lifecycle": {"expiration_duration_seconds": "never"}})
    header = options.headers("j")["X-Fal-Object-Lifecycle-Preference"]
    assert {"expiration_duration_seconds": None} == json.loads(header)


def test_the_record_reads_back() -> None:
    """Options read from a record give the same headers."""
    given = {"object_lifecycle": {"expiration_duration_seconds": "never"}, "start_timeout": 2.5}
    options = Options.read(given)
    assert options.headers("j") == Options.read(options.record()).headers("j")


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({"priority": "high"}, ["priority"]),
        ({"prio": "low"}, ["prio"]),
        ({"start_timeout": 1}, ["start_timeout"]),
        ({"start_timeout": float("inf")}, ["start_timeout"]),
        ({"runner_hint": "a\r\nX-Evil: 1"}, ["runner_hint"]),
        ({"runner_hint": "ü"}, ["runner_hint"]),
        ({"max_queue_length": -1}, ["max_queue_length"]),
        ({"max_queue_length": "5"}, ["max_queue_length"]),
        ({"no_retry": "yes"}, ["no_retry"]),
        ({"tags": {"Team": "x"}}, ["tags.Team"]),
        ({"tags": {"fal.x": "x"}}, ["tags.fal.x"]),
        ({"tags": {"job_id": "x"}}, ["tags.job_id"]),
        ({"tags": {"a": "x,b=y"}}, ["tags.a"]),
        ({"tags": {f"k{n}": "x" for n in range(10)}}, ["options"]),
        ({"tags": {f"k{n}": "x" * 250 for n in range(4)}}, ["options"]),
        (
            {"object_lifecycle": {"expiration_duration_seconds": 60}},
            ["object_lifecycle.expiration_duration_seconds"],
        ),
        (
            {"object_lifecycle": {"initial_acl": {"default": "hide"}}},
            ["object_lifecycle.initial_acl.default"],
        ),
        ([], ["options"]),
    ],
)
def test_an_option_that_fal_would_drop_or_reject_is_named(given: Any, paths: list[str]) -> None:
    """fal drops malformed tags silently, and a line break would start another header."""
    assert paths == list(refused(given))


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (3600, 3600),
        ("3600", 3600),
        ("1h", 3600),
        ("24h", 86_400),
        ("2d", 172_800),
        ("1w", 604_800),
        ("1y", 31_536_000),
        ("100y", LONGEST_LIFE),
    ],
)
def test_a_lifetime_is_seconds_or_a_duration(given: object, seconds: int) -> None:
    """A duration is converted to the seconds that fal requires."""
    lifecycle = {"expiration_duration_seconds": given}
    parsed = Options.read({"object_lifecycle": lifecycle}).object_lifecycle
    assert parsed is not None
    assert seconds == parsed.expiration_duration_seconds


@pytest.mark.parametrize(
    "given", ["-5", "2 days", "", "1h30", 3599, "3599", "101y", 10**21, 1.5, True, [], "٣d"]
)
def test_an_invalid_lifetime_is_rejected_with_the_requirement(given: object) -> None:
    """It is too short for the download, implausibly long, or not a duration."""
    problems = refused({"object_lifecycle": {"expiration_duration_seconds": given}})
    sentence = "must be a duration from 1h to 100y (24h, 7d, 1y or plain seconds) or never"
    assert {"object_lifecycle.expiration_duration_seconds": sentence} == problems


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"object_lifecycle": "7d"}, "must be an object"),
        ({"tags": ["a"]}, "must be an object"),
        ({"no_retry": "yes"}, "must be true or false"),
        ({"start_timeout": "30"}, "must be a number"),
        ({"max_queue_length": 2.5}, "must be a whole number"),
        ({"runner_hint": 7}, "must be a string"),
        ([], "must be an object"),
    ],
)
def test_a_wrong_type_is_reported_in_plain_words(given: Any, message: str) -> None:
    """Pydantic's wording is not shown."""
    assert [message] == list(refused(given).values())


def test_options_are_merged_one_level_deep() -> None:
    """A tag or lifetime in the second keeps the other tags and access rules of the first."""
    rules: dict[str, object] = {"initial_acl": {"rules": []}}
    first = {"tags": {"a": "1", "b": "1"}, "object_lifecycle": rules, "priority": "low"}
    lifetime = {"expiration_duration_seconds": 3600}
    second = {"tags": {"b": "2"}, "object_lifecycle": lifetime, "no_retry": True}
    expected = {
        "tags": {"a": "1", "b": "2"},
        "object_lifecycle": {**rules, **lifetime},
        "priority": "low",
        "no_retry": True,
    }
    assert expected == merged(first, second)


def test_all_problems_are_reported_together() -> None:
    """All are reported, and an unknown name gets the known ones."""
    assert {"priority", "prio"} == set(refused({"priority": "high", "prio": 1}))
    with pytest.raises(InvalidOptions, match="the options are priority, start_timeout"):
        Options.read({"prio": 1})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("priority", " low ", "low"),
        ("start_timeout", "60", 60),
        ("start_timeout", "2.5", 2.5),
        ("start_timeout", "soon", "soon"),
        ("runner_hint", "12345", "12345"),
        ("max_queue_length", "20", 20),
        ("runner_hint", "true", "true"),
        ("no_retry", "TRUE", True),
        ("store_io", "False ", False),
        ("no_retry", "yes", "yes"),
        ("object_lifecycle", '{"expiration_duration_seconds": "7d"}', None),
        ("tags", '{"team": "films"}', {"team": "films"}),
        ("prio", "1", "1"),
    ],
)
def test_a_cell_of_a_spreadsheet_becomes_the_type_of_its_option(
    name: str, text: str, value: object
) -> None:
    """A hint of digits stays text and TRUE becomes true; invalid text stays, to be reported."""
    lifecycle = {"expiration_duration_seconds": "7d"}
    assert (lifecycle if value is None else value) == Options.typed(name, text)
