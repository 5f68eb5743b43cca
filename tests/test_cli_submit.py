"""`falhook submit`: flags, local files, the cost before it is incurred, and files of jobs."""

import itertools
import json
import re
import shlex
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner, Result

from infra.local.simulation import Simulation
from tests.catalogue_factories import CHECKED
from tests.input_factories import MP3, MP4, PNG, named, png
from tests.job_factories import ToSimulation
from webhook.contract import Task
from worker.__main__ import cli
from worker.cdn import Cdn
from worker.cli import bulk, bulk_report
from worker.cli.sheet import command
from worker.create import Created, Creator
from worker.fal import Fal
from worker.jobs import JobState
from worker.lease import Leases
from worker.order import Draft
from worker.pipeline import Pipeline
from worker.records import Records
from worker.staging import storage_key
from worker.storage import Storage
from worker.submit import Submit
from worker.uploads import Uploads

TEXT = "fal-ai/kling-video/v2.1/master/text-to-video"
IMAGE = "fal-ai/kling-video/v2.1/master/image-to-video"
FOX = [TEXT, "--prompt", "A fox"]
Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with files of a person."""
    directory = tmp_path / "home"
    directory.mkdir()
    (directory / "cat.png").write_bytes(PNG)
    (directory / "clip.mp4").write_bytes(MP4)
    (directory / "speech.mp3").write_bytes(MP3)
    (directory / "notes.txt").write_text("words")
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def run(home: Path, redis_url: str) -> Run:
    """Runs `falhook` in that directory, with a Redis that is empty at first."""
    environ = {
        "REDIS_URL": redis_url,
        "FALHOOK_BROKER_URL": redis_url,
        "FALHOOK_STORAGE_URL": str(home / "storage"),
        "FALHOOK_CATALOGUE": "",
    }

    def run(*arguments: str, **changes: str | None) -> Result:
        runner = CliRunner(env={**environ, **changes})
        return runner.invoke(cli, arguments, catch_exceptions=False, prog_name="falhook")

    return run


def submitted(run: Run, *arguments: str) -> dict[str, Any]:
    """The job that a submit made."""
    done = run("submit", *arguments, "--json")
    assert 0 == done.exit_code, done.stderr
    job: dict[str, Any] = json.loads(done.stdout)
    return job


def refused(run: Run, *arguments: str, **changes: str | None) -> str:
    """What a submit that made nothing said."""
    done = run("submit", *arguments, **changes)
    assert (2, "") == (done.exit_code, done.stdout)
    return done.stderr


def test_a_submit_shows_what_it_will_cost(run: Run, records: Records) -> None:
    """Figure, reckoning, confidence and source; the same is kept on the record."""
    done = run("submit", *FOX, "duration=10")
    assert "about $2.80 for 10 s" in done.stdout
    assert "confidence medium" in done.stdout
    (job,) = records.list()
    assert "2.80" == job.estimate["usd"]
    assert job.estimate["source"]


def test_a_price_that_follows_from_the_input_is_said(run: Run) -> None:
    """Lip-sync is paid by the second of input, which nobody has measured yet."""
    endpoint = "fal-ai/kling-video/lipsync/audio-to-video"
    done = run("submit", endpoint, "--video", "clip.mp4", "--audio", "speech.mp3")
    assert "depends on its input: $0.014/s of input" in done.stdout
    done = run("submit", "acme/x", "--unchecked", "a=1")
    assert "Its price is not known." in done.stdout
    done = run("submit", "kling/v4/text-to-video", "--unchecked", "prompt=a")
    assert "Its inputs are not known, so its cost is not either: $0.235/s" in done.stdout


def test_a_dry_run_shows_the_request_and_sends_nothing(
    run: Run, home: Path, records: Records
) -> None:
    """Address, headers, body, cost; no record, no file, and no Redis is needed."""
    flags = ["--image", "cat.png", "--prompt", "A cat", "--priority", "low", "--dry-run"]
    done = run("submit", IMAGE, *flags, "--id", "j1", REDIS_URL=None)
    assert 0 == done.exit_code
    assert f"POST https://queue.fal.run/{IMAGE}?fal_webhook=" in done.stdout
    assert "X-Fal-Queue-Priority: low\n" in done.stdout
    assert "X-Fal-Tags: job_id=j1\n" in done.stdout
    assert f'"image_url": "upload://{named(PNG)}"' in done.stdout
    assert "about $1.40" in done.stdout
    assert ([], False) == (list(records.list()), (home / "storage").exists())


def test_a_dry_run_for_machines(run: Run) -> None:
    """The same as one JSON object."""
    done = run("submit", *FOX, "--id", "j1", "--dry-run", "--json", "--tag", "team=films")
    told = json.loads(done.stdout)
    assert ("j1", {"prompt": "A fox"}, "1.40") == (
        told["id"],
        told["arguments"],
        told["estimate"]["usd"],
    )
    assert {"X-Fal-Tags": "job_id=j1,team=films"} == told["headers"]


@pytest.mark.parametrize(
    ("endpoint", "flags", "inputs"),
    [
        (IMAGE, ["--image", "cat.png"], {"image_url": PNG}),
        ("fal-ai/kling-video/v2.6/pro/image-to-video", ["--image", "./cat.png"], None),
        ("fal-ai/kling-video/v1.6/pro/elements", ["--image", "cat.png"], None),
        (IMAGE, ["image_url=file:cat.png"], {"image_url": PNG}),
        (IMAGE, ["--arguments", '{"image_url": "cat.png"}'], {"image_url": PNG}),
    ],
)
def test_a_local_file_by_flag_or_by_name(
    run: Run, home: Path, endpoint: str, flags: list[str], inputs: dict[str, bytes] | None
) -> None:
    """--image finds the endpoint's own name; the bytes lie in storage when the job is made."""
    job = submitted(run, endpoint, "--prompt", "A cat", *flags)
    assert f"upload://{named(PNG)}" in json.dumps(job["arguments"])
    if inputs:
        assert set(inputs) < set(job["arguments"])
    storage = Storage.open(str(home / "storage"))
    assert PNG == storage.read(storage_key(named(PNG)))


def test_a_flag_fills_one_input_however_many_files_it_gets(run: Run, home: Path) -> None:
    """Where an endpoint has a list of pictures beside single ones, it is the list."""
    (home / "dog.png").write_bytes(png(padding=1))
    both = [f"upload://{named(data)}" for data in (PNG, png(padding=1))]
    endpoint = "fal-ai/kling-video/o3/pro/reference-to-video"
    assert "--image fills image_urls" in run("models", "show", endpoint).stdout
    flags = ["--image", "cat.png", "--image", "dog.png"]
    for count in (1, 2):
        job = submitted(run, endpoint, "--prompt", "A", *flags[: 2 * count])
        assert both[:count] == job["arguments"]["image_urls"]


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("fal-ai/kling-video/v1/pro/image-to-video", "--image fills image_url"),
        ("fal-ai/kling-video/v3/pro/image-to-video", "--image fills start_image_url"),
        ("fal-ai/kling-video/lipsync/audio-to-video", "--audio fills audio_url, --video fills"),
    ],
)
def test_what_a_flag_fills_is_told(run: Run, endpoint: str, told: str) -> None:
    """What is required, before what is not."""
    assert told in " ".join(run("models", "show", endpoint).stdout.split())


def test_a_flag_that_might_mean_either_is_refused(run: Run) -> None:
    """Of a person and a garment neither is the picture; both are named, and none is told."""
    endpoint = "fal-ai/kling/v1-5/kolors-virtual-try-on"
    told = refused(run, endpoint, "--image", "cat.png")
    assert "more than one image; say which: human_image_url=… or garment_image_url=…." in told
    assert "--image" not in run("models", "show", endpoint).stdout


def test_two_flags_for_one_input(run: Run) -> None:
    """A voice is sampled from a sound or a video: of both one would be lost."""
    files = ["--audio", "speech.mp3", "--video", "clip.mp4"]
    told = refused(run, "fal-ai/kling-video/create-voice", *files)
    assert "--video and --audio both give" in told
    assert "its voice_url; leave one out" in told


def test_a_single_value_for_a_list(run: Run) -> None:
    """It becomes a list of one; a list is written as JSON."""
    endpoint = "fal-ai/kling-video/v1.6/pro/elements"
    one = [f"upload://{named(PNG)}"]
    for value, expected in [("cat.png", one), ('["cat.png", "cat.png"]', one * 2)]:
        job = submitted(run, endpoint, "--prompt", "A", f"input_image_urls={value}")
        assert expected == job["arguments"]["input_image_urls"]


def test_the_same_id_again_is_told_as_the_job_that_it_is(run: Run) -> None:
    """No cost is announced, since none is incurred; what this call asks otherwise is told."""
    first = run("submit", *FOX, "--id", "a1")
    again = run("submit", *FOX, "--id", "a1")
    assert ("about $1.40" in first.stdout, "$" in again.stdout) == (True, False)
    assert "It was there already, made 2" in again.stdout
    assert "nothing was made.\n" in again.stdout
    other = run("submit", *FOX, "--id", "a1", "--priority", "low", "--metadata", "n=1")
    assert "Its metadata and options stay as they were" in other.stdout
    assert submitted(run, *FOX, "--id", "a1")["new"] is False


def test_files_that_cannot_be_used(run: Run, home: Path) -> None:
    """Each in words with what is wrong, and with everything else that is wrong."""
    told = refused(run, IMAGE, "--image", "notes.txt", "--prompt", "A", "duration=7")
    assert 'image_url "notes.txt": must be an image' in told
    assert 'duration "7": must be one of "5", "10"' in told
    assert "No such file" in refused(run, IMAGE, "--prompt", "A", "--image", "dog.png")
    assert "takes no audio" in refused(run, IMAGE, "--audio", "speech.mp3")
    assert "takes one --image" in refused(run, IMAGE, "--image", "a.png", "--image", "b.png")
    assert not (home / "storage").exists()


def test_arguments_that_nest_too_deeply(run: Run, home: Path) -> None:
    """They are told in a sentence, as whatever else is no JSON object."""
    (home / "deep.json").write_text("[" * 200_000 + "]" * 200_000)
    assert "nests too deeply" in refused(run, TEXT, "--arguments", "@deep.json")


def test_options_from_flags_and_json(run: Run) -> None:
    """Flags stand over the JSON object; what fal does not know is refused."""
    flags = ["--options", '{"priority": "normal", "runner_hint": "a"}', "--priority", "low"]
    flags += ["--start-timeout", "60", "--no-retry", "--no-store-io", "--object-lifetime", "7d"]
    job = submitted(run, *FOX, *flags, "--tag", "team=films")
    expected = {
        "priority": "low",
        "runner_hint": "a",
        "start_timeout": 60.0,
        "no_retry": True,
        "store_io": False,
        "object_lifecycle": {"expiration_duration_seconds": 604_800},
        "tags": {"team": "films"},
    }
    assert expected == job["options"]
    assert "tags.Team" in refused(run, *FOX, "--tag", "Team=x")
    assert "prio: is no option" in refused(run, *FOX, "--options", '{"prio": 1}')


def test_flags_leave_what_the_options_hold_beside_them(run: Run) -> None:
    """A lifetime keeps the access rules, a tag the other tags."""
    acl = {"default": "allow", "rules": [{"user": "us", "decision": "allow"}]}
    given = {"object_lifecycle": {"initial_acl": acl}, "tags": {"team": "films", "n": "1"}}
    flags = ["--options", json.dumps(given), "--object-lifetime", "24h", "--tag", "n=2"]
    options = submitted(run, *FOX, *flags)["options"]
    lifecycle = {"initial_acl": acl, "expiration_duration_seconds": 86_400}
    assert {"object_lifecycle": lifecycle, "tags": {"team": "films", "n": "2"}} == options


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["prompt=x", "--prompt", "y"], "prompt is given twice"),
        (["prompt=x", "prompt=y"], "prompt is given twice"),
        (["--image", "cat.png", "image_url=https://a.example/b.png"], "image_url is given twice"),
        (["--tag", "a=1", "--tag", "a=2"], "--tag a is given twice"),
        (["--metadata", "a=1", "--metadata", "a=1"], "--metadata a is given twice"),
        (["prompt=x", "prompt=y", "duration=5", "duration=10"], "prompt, duration are given twice"),
    ],
)
def test_what_is_given_twice_is_refused(run: Run, flags: list[str], told: str) -> None:
    """One of the two would be lost without a word."""
    assert told in refused(run, IMAGE, *flags)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["b\udcff=1"], r'The name "b\udcff" must be UTF-8.'),
        (["--metadata", "b\udcff=1"], r'The name "b\udcff" must be UTF-8.'),
        (["--metadata", "b=\udcff"], "--metadata b must be UTF-8."),
        (["--tag", "b=\udcff"], "--tag b must be UTF-8."),
    ],
)
def test_bytes_that_are_no_text_are_refused(run: Run, flags: list[str], told: str) -> None:
    """Neither fal nor the record could hold them."""
    assert told in refused(run, *FOX, *flags)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--arguments", '{"duration": 5, "duration": 10}'], '--arguments is JSON that holds "dur'),
        (["--options", '{"tags": {"a": "1", "a": "2"}}'], '--options is JSON that holds "a" twice'),
        (["--arguments", "{"], "--arguments is not JSON: Expecting property name"),
        (["--arguments", "{\n1}"], "at line 2, character 1."),
        (["--unchecked", 'a={"x": 1, "x": 2}'], 'a: is JSON that holds "x" twice'),
    ],
)
def test_json_that_would_lose_a_part_is_refused(run: Run, flags: list[str], told: str) -> None:
    """Python's reader keeps the last of two members that are called alike."""
    assert told in refused(run, *FOX, *flags)


def test_flags_stand_over_arguments(run: Run) -> None:
    """All inputs as JSON are a template, of which a flag changes one."""
    given = json.dumps({"prompt": "x", "duration": 5})
    job = submitted(run, TEXT, "--arguments", given, "--prompt", "y")
    assert {"prompt": "y", "duration": "5"} == job["arguments"]


def test_unchecked(run: Run) -> None:
    """Any endpoint of fal, with values read as JSON where they are such."""
    job = submitted(run, "acme/dolly", "--unchecked", "--prompt", "hi", "n=1", "image=file:cat.png")
    expected = {"prompt": "hi", "n": 1, "image": f"upload://{named(PNG)}"}
    assert expected == job["arguments"]
    assert "is not in the catalogue" in refused(run, "acme/dolly", "--prompt", "hi")


def test_unchecked_words_stay_words(run: Run) -> None:
    """A prompt of digits is no number, one that begins with data: no file."""
    flags = ["--unchecked", "prompt=2024", "negative_prompt=data: is the new oil", "seed=7"]
    expected = {"prompt": "2024", "negative_prompt": "data: is the new oil", "seed": 7}
    assert expected == submitted(run, "acme/dolly", *flags)["arguments"]


@pytest.mark.parametrize("endpoint", ["acme/dolly", IMAGE])
def test_an_unchecked_image_flag_is_a_file_all_the_same(
    run: Run, home: Path, endpoint: str
) -> None:
    """Nothing else would tell its path from text, and fal would get the path."""
    (home / "my cat%20.png").write_bytes(PNG)
    job = submitted(run, endpoint, "--unchecked", "--image", "my cat%20.png")
    assert {"image_url": f"upload://{named(PNG)}"} == job["arguments"]
    job = submitted(run, endpoint, "--unchecked", "--image", "https://a.b/c d.png")
    assert {"image_url": "https://a.b/c d.png"} == job["arguments"]


def test_an_endpoint_or_a_file_has_to_be_named(run: Run) -> None:
    """Neither, or both with inputs, is told."""
    assert "Name an ENDPOINT" in refused(run)
    assert "leave out: prompt" in refused(run, "--from", "jobs.jsonl", "--prompt", "A")
    assert "FALHOOK_CATALOGUE" in refused(run, *FOX, FALHOOK_CATALOGUE="/nowhere")


# --- files of jobs -----------------------------------------------------------------------------


def jobs(home: Path, *prompts: str) -> Path:
    """A file of jobs."""
    path = home / "jobs.jsonl"
    rows = [{"endpoint": TEXT, "arguments": {"prompt": prompt}} for prompt in prompts]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_a_file_is_checked_whole_before_its_first_job(
    run: Run, home: Path, records: Records
) -> None:
    """One bad line of many makes none, and is told by its number."""
    path = jobs(home, "a", "b", "")
    told = refused(run, "--from", str(path), "--yes")
    assert "1 of its jobs cannot be made, so none was" in told
    assert "line 3: " in told
    assert [] == list(records.list())


def test_the_whole_cost_is_asked_first(run: Run, home: Path, records: Records) -> None:
    """Without --yes and without anybody to ask nothing is made; a dry run tells the cost."""
    path = jobs(home, "a", "b")
    told = refused(run, "--from", str(path))
    assert "2 jobs, about $2.80 in all." in told
    assert "give --yes" in told
    done = run("submit", "--from", str(path), "--dry-run", REDIS_URL=None)
    lines = [f"line {line}  {TEXT}  about $1.40 for 5 s" for line in (1, 2)]
    assert (0, lines) == (done.exit_code, done.stdout.splitlines())
    assert "about $2.80" in done.stderr
    assert "REDIS_URL is not set, so that every job counts as new." in done.stderr
    assert [] == list(records.list())


def test_a_dry_run_of_a_file_does_without_redis(run: Run, home: Path) -> None:
    """One that is away hides what is there, which is said, and nothing else."""
    away = "redis://127.0.0.1:1/0"
    done = run("submit", "--from", str(jobs(home, "a")), "--dry-run", REDIS_URL=away)
    assert (0, 1) == (done.exit_code, len(done.stdout.splitlines()))
    assert "Redis at REDIS_URL cannot be asked, so that every job counts as new." in done.stderr


def test_a_dry_run_of_a_file_knows_the_jobs_that_are_there(run: Run, home: Path) -> None:
    """A file that was half made costs its other half; for machines the sum is the last line."""
    run("submit", "--from", str(jobs(home, "a")), "--yes")
    asked = ["submit", "--from", str(jobs(home, "a", "b", "c")), "--dry-run"]
    first, *others = run(*asked).stdout.splitlines()
    assert (True, 2) == ("there already as" in first, len(others))
    done = run(*asked, "--json")
    *rows, last = [json.loads(line) for line in done.stdout.splitlines()]
    told = [(row["line"], row["estimate"]["usd"], row["new"]) for row in rows]
    assert [(1, "1.40", False), (2, "1.40", True), (3, "1.40", True)] == told
    assert {"total": {"jobs": 3, "there": 1, "usd": "2.80", "unknown_cost": 0}} == last
    assert "2 jobs, about $2.80 in all; 1 job of the file is there already." in done.stderr


@pytest.mark.parametrize(
    ("prompts", "endpoints", "told"),
    [
        ("a", TEXT, "1 job, about $1.40."),
        ("a", "acme/x", "1 job, whose cost is not known."),
        ("ab", "acme/x", "2 jobs, whose cost is not known."),
        ("abc", f"{TEXT} acme/x {TEXT}", "3 jobs, about $2.80 in all, without 1 whose cost"),
    ],
)
def test_the_cost_of_a_file_in_words(
    run: Run, home: Path, prompts: str, endpoints: str, told: str
) -> None:
    """One is one job; a sum of nothing is none."""
    of = itertools.cycle(endpoints.split())
    rows = [{"endpoint": next(of), "arguments": {"prompt": prompt}} for prompt in prompts]
    path = home / "jobs.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    done = run("submit", "--from", str(path), "--dry-run", "--unchecked", REDIS_URL=None)
    assert told in done.stderr


def test_a_run_that_is_interrupted_tells_how_far_it_came(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many jobs were made, and what makes the others."""
    made, add = iter("ab"), Creator.add

    def interrupted(creator: Creator, draft: Draft) -> Created:
        if not next(made, None):
            raise KeyboardInterrupt
        return add(creator, draft)

    with monkeypatch.context() as patched:
        patched.setattr(Creator, "add", interrupted)
        done = run("submit", "--from", str(jobs(home, "a", "b", "c")), "--yes")
    assert "2 of 3 jobs made; run the same command again: it makes the others" in done.stderr
    done = run("submit", "--from", str(jobs(home, "a", "b", "c")), "--yes")
    assert "1 made, 2 were there already." in done.stderr


def test_a_no_is_told(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever says no hears that nothing was made."""

    def no(*_: object, **__: object) -> None:
        raise click.Abort

    monkeypatch.setattr(bulk, "_stdin_is_a_person", lambda: True)
    monkeypatch.setattr(click, "confirm", no)
    done = run("submit", "--from", str(jobs(home, "a")))
    assert (True, 1) == ("No job was made." in done.stderr, done.exit_code)


def test_an_interrupt_before_the_first_job_is_told(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while a long file is checked."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bulk, "tell_cost", interrupted)
    done = run("submit", "--from", str(jobs(home, "a")), "--yes")
    assert (True, 1) == ("No job was made." in done.stderr, done.exit_code)


@pytest.mark.parametrize("data", [png(padding=9), None])
def test_a_file_that_goes_away_during_a_run_is_told_with_its_line(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, data: bytes | None
) -> None:
    """Somebody moves a picture while the question is open: one sentence, and what is made stays."""
    (home / "dog.png").write_bytes(png(padding=1))
    path = home / "jobs.csv"
    path.write_text("prompt,image_url\na,cat.png\nb,dog.png\n")

    def gone(*arguments: Any, **named: Any) -> None:
        bulk_report.tell_cost(*arguments, **named)
        (home / "dog.png").write_bytes(data) if data else (home / "dog.png").unlink()

    monkeypatch.setattr(bulk, "tell_cost", gone)
    done = run("submit", "--from", str(path), IMAGE, "--yes")
    assert (2, 1) == (done.exit_code, len(done.stdout.splitlines()))
    assert "1 of 2 jobs made; run the same command again" in done.stderr
    assert f'{path} line 3: image_url "dog.png": ' in done.stderr


def test_a_mistake_of_many_rows_is_told_once(run: Run, home: Path) -> None:
    """A column's wrong name, with the lines that it stands in and the cure."""
    path = home / "jobs.csv"
    path.write_text("promt,duration\n" + "fox,5\n" * 20 + "fox,7\n" + "fox,5\n" * 20)
    told = refused(run, "--from", str(path), TEXT, "--yes").splitlines()
    expected = [
        f"Error: {path}: 41 of its jobs cannot be made, so none was.",
        "lines 2-42: promt (3 characters): is not an input of this endpoint; did you mean prompt?",
        "lines 2-42: prompt: is required; What the clip should show, as free text",
        'line 22: duration "7": must be one of "5", "10"',
    ]
    assert expected == told


# --- refusals for machines ---------------------------------------------------------------------


def error_of(run: Run, *arguments: str) -> dict[str, Any]:
    """The error that a submit told as JSON, in the last line of standard error."""
    error: dict[str, Any] = json.loads(refused(run, *arguments, "--json").splitlines()[-1])["error"]
    assert ["problems", "reason", "sentence"] == sorted(error)
    return error


def test_a_refusal_is_data_for_machines(run: Run) -> None:
    """Place, value, what holds and the cure stand apart; standard output stays empty."""
    error = error_of(run, TEXT, "promt=fox", "duration=7", "--priority", "low", "--tag", "A=x")
    assert "invalid_arguments" == error["reason"]
    assert ["promt", "duration", "prompt", "tags.A"] == [one["path"] for one in error["problems"]]
    expected = {
        "path": "duration",
        "value": '"7"',
        "message": 'must be one of "5", "10"',
        "hint": "",
    }
    assert expected == error["problems"][1]
    assert 'duration "7": must be' in error["sentence"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["acme/dolly"], "unknown_endpoint"),
        ([TEXT, "prompt"], "bad_usage"),
        ([TEXT, "--prompt", "a", "--id", "a b"], "bad_job"),
        ([], "bad_usage"),
    ],
)
def test_other_refusals_have_a_reason_too(run: Run, arguments: list[str], reason: str) -> None:
    """One word to branch on."""
    assert reason == error_of(run, *arguments)["reason"]


def test_refused_rows_are_data_for_machines(run: Run, home: Path) -> None:
    """Each problem with its line, also where people are told of many at once."""
    error = error_of(run, "--from", str(jobs(home, "a", "", "")), "--yes")
    told = [(one["line"], one["path"], one["message"]) for one in error["problems"]]
    assert ("bad_rows", [(n, "prompt", "must not be empty") for n in (2, 3)]) == (
        error["reason"],
        told,
    )


def test_run_again_it_makes_no_job_twice(run: Run, home: Path, records: Records) -> None:
    """Also after a crash in the middle, and after further lines were written."""
    first = run("submit", "--from", str(jobs(home, "a")), "--yes")
    assert (0, 1) == (first.exit_code, len(first.stdout.splitlines()))
    again = run("submit", "--from", str(jobs(home, "a", "b", "a")), "--yes", "--json")
    told = [json.loads(line) for line in again.stdout.splitlines()]
    assert [(1, False), (2, True), (3, True)] == [(row["line"], row["new"]) for row in told]
    assert "2 jobs, about $2.80 in all; 1 job of the file is there already." in again.stderr
    last = run("submit", "--from", str(jobs(home, "a", "b", "a")))
    assert (0, "") == (last.exit_code, last.stdout)
    assert "0 made, 3 were there already." in last.stderr
    assert ["a", "a", "b"] == sorted(str(job.arguments["prompt"]) for job in records.list())


def test_of_two_runs_at_once_each_tells_what_it_made(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that the other run made since the file was checked is no new one of this run."""
    path = jobs(home, "a", "b")
    rivals: list[Result] = []

    def also(*arguments: Any, **named: Any) -> None:
        tell_cost(*arguments, **named)
        monkeypatch.setattr(bulk, "tell_cost", tell_cost)
        rivals.append(run("submit", "--from", str(jobs(home, "a")), "--yes"))

    tell_cost = bulk_report.tell_cost
    monkeypatch.setattr(bulk, "tell_cost", also)
    done = run("submit", "--from", str(path), "--yes", "--json")
    assert "1 made, 0 were there already." in rivals[0].stderr
    assert "1 made, 1 were there already." in done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(1, False), (2, True)] == [(row["line"], row["new"]) for row in told]


def test_an_id_of_another_job_is_told_by_its_line(run: Run, home: Path, records: Records) -> None:
    """It is found before the first job is made."""
    run("submit", *FOX, "--id", "x1")
    path = home / "jobs.csv"
    path.write_text("id,prompt\nx2,A cat\nx1,A dog\n")
    told = refused(run, "--from", str(path), TEXT, "--yes")
    assert "line 3: job id x1 belongs to another job" in told
    assert ["x1"] == [job.id for job in records.list()]


# --- against the simulated fal -----------------------------------------------------------------


@pytest.fixture
def fal(
    request: pytest.FixtureRequest,
    start_fal: Callable[..., Simulation],
    monkeypatch: pytest.MonkeyPatch,
) -> Simulation:
    """A simulated fal that takes jobs and, where not asked otherwise, ends no render."""
    seconds = getattr(request, "param", "3600")
    running = start_fal("--render-seconds", seconds, "--app", "acme/dolly")
    monkeypatch.setenv("SSL_CERT_FILE", running.environment["SSL_CERT_FILE"])
    return running


@pytest.fixture
def work(
    fal: Simulation, records: Records, home: Path
) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Runs the submit step of every waiting job; what the simulated fal was then asked."""
    key, context = fal.environment["FAL_KEY"], ssl.create_default_context(cafile=fal.ca_file)
    queue, cdn = ToSimulation(fal), httpx.HTTPTransport(verify=context)
    uploads = Uploads(
        cdn=Cdn(key, rest_host=fal.environment["FAL_REST_HOST"], transport=cdn),
        redis=records.redis,
        storage=Storage.open(str(home / "storage")),
        lifetime=3600,
    )
    submit = Submit(
        fal=Fal(key, transport=queue),
        records=records,
        public_url="http://127.0.0.1:9",
        secret="a-secret-of-the-tests",
        deadline=2700,
        addressed=uploads.addressed,
    )
    pipeline = Pipeline(records, [submit.step()], lambda _task, _job: None, leases=Leases(records))

    def work() -> list[dict[str, Any]]:
        for job in records.list(state=JobState.QUEUED, limit=500):
            pipeline.run(Task.SUBMIT, job.id)
        answer = httpx.get(f"{fal.url}/_sim/requests", verify=context)
        asked: list[dict[str, Any]] = answer.json()
        return asked

    yield work
    cdn.close()
    queue._inner.close()


@pytest.mark.parametrize("fal", ["0"], indirect=True)
def test_every_example_works_when_pasted(
    run: Run, records: Records, work: Callable[[], list[dict[str, Any]]], fal: Simulation
) -> None:
    """The command of `models show`, for every endpoint: a job is made, fal takes and renders it."""
    for model in CHECKED:
        program, *arguments = shlex.split(command(model))
        assert "falhook" == program
        done = run(*arguments)
        assert 0 == done.exit_code, done.stderr
    asked = {request["endpoint"]: request["arguments"] for request in work()}
    assert {model.endpoint: model.example() for model in CHECKED} == asked
    assert len(CHECKED) == records.count(JobState.SUBMITTED)
    context = ssl.create_default_context(cafile=fal.ca_file)
    wait = f"{fal.url}/_sim/wait?event=render&timeout=120&count={len(CHECKED)}"
    assert 200 == httpx.get(wait, verify=context, timeout=150).status_code
    assert {200} == {request["status"] for request in work()}


def test_files_and_options_reach_fal(
    run: Run, work: Callable[[], list[dict[str, Any]]], records: Records
) -> None:
    """The input is at fal's CDN before the POST, once for two jobs; headers go out with it."""
    for prompt in ("A", "B"):
        job = submitted(run, IMAGE, "--prompt", prompt, "--image", "cat.png", "--priority", "low")
    first, second = work()
    address = first["arguments"]["image_url"]
    assert address == second["arguments"]["image_url"]
    assert re.fullmatch(r"https://localhost:\d+/files/u/[0-9a-f]+_[0-9a-f]{64}\.png", address)
    headers = [request["headers"] for request in (first, second)]
    assert ["low", "low"] == [sent["x-fal-queue-priority"] for sent in headers]
    assert f"job_id={job['id']}" in {sent["x-fal-tags"] for sent in headers}
    assert 2 == records.count(JobState.SUBMITTED)


def test_an_upload_that_fails_leaves_no_doubt(
    run: Run, work: Callable[[], list[dict[str, Any]]], records: Records, fal: Simulation
) -> None:
    """fal was never asked for the job, so that it waits to be tried again, unpaid."""
    context = ssl.create_default_context(cafile=fal.ca_file)
    for way in ("cdn", "bucket"):
        httpx.post(f"{fal.url}/_sim/uploads?way={way}&status=503", verify=context)
    job = submitted(run, IMAGE, "--prompt", "A", "--image", "cat.png")
    assert [] == work()
    found = records.get(job["id"])
    assert found is not None
    assert (JobState.QUEUED, 1, 0) == (found.state, found.tries, found.posted)
