"""The command line with bad input: one sentence with the correction, and exit code 2."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests import ROOT
from tests.factories.listed import jobs_of
from webhook.settings.settings import Connections
from worker.cli.redis_errors import redis_error
from worker.jobs.store import JobStore
from worker.settings.every import every_setting
from worker.storage import Storage

TEXT = "fal-ai/kling-video/v2.1/master/text-to-video"
PLAIN = {"NO_COLOR": "1"}


def run(
    *arguments: str, environ: Mapping[str, str], program: tuple[str, ...] = ("-m", "worker")
) -> subprocess.CompletedProcess[str]:
    """Run a command with `environ` as its whole environment."""
    return subprocess.run(
        [sys.executable, *program, *arguments],
        env=dict(environ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


BAD_INPUT = {
    "unknown endpoint": (["fal-ai/kling-video/v2.1/mater/text-to-video"], ["v2.1/master"]),
    "wrong type": ([TEXT, "prompt=A fox", "cfg_scale=much"], ["cfg_scale", "number"]),
    "out of range": ([TEXT, "prompt=A fox", "cfg_scale=7"], ["cfg_scale", "1"]),
    "missing prompt": ([TEXT], ["prompt"]),
    "unknown name": ([TEXT, "promt=A fox"], ["promt", "prompt"]),
    "everything at once": ([TEXT, "duration=7", "aspect_ratio=3:1"], ["duration", "aspect_ratio"]),
    "no pair": ([TEXT, "prompt"], ["NAME=VALUE"]),
    "no JSON": ([TEXT, "--arguments", "{"], ["--arguments", "JSON"]),
    "no such file": ([TEXT, "--arguments", "@/nowhere.json"], ["/nowhere.json"]),
    "bad id": ([TEXT, "prompt=A fox", "--id", "no spaces"], ["no spaces", "letters"]),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input(records: JobStore, redis_url: str, name: str) -> None:
    """Bad input is named in the error, and no job is created."""
    arguments, words = BAD_INPUT[name]
    done = run("submit", *arguments, environ={"REDIS_URL": redis_url})
    assert (2, "", []) == (
        done.returncode,
        done.stdout,
        [word for word in words if word not in done.stderr],
    )
    assert (0, False) == (len(jobs_of(records)), "Traceback" in done.stderr)


def test_an_invalid_flag_is_a_json_error() -> None:
    """With --json, errors of click are JSON too."""
    done = run("submit", TEXT, "--priority", "high", "--json", environ={})
    error = json.loads(done.stderr)["error"]
    assert (2, "", "bad_usage") == (done.returncode, done.stdout, error["reason"])
    assert "'high' is not one of" in error["sentence"]


def test_an_id_with_other_contents_is_rejected(records: JobStore, redis_url: str) -> None:
    """An id that belongs to another job is rejected, and that job is unchanged."""
    environ = {"REDIS_URL": redis_url}
    first = run("submit", TEXT, "prompt=A fox", "--id", "a1", environ=environ)
    again = run("submit", TEXT, "prompt=A fox", "--id", "a1", environ=environ)
    other = run("submit", TEXT, "prompt=A cat", "--id", "a1", environ=environ)
    assert (0, 0, 2, True) == (
        first.returncode,
        again.returncode,
        other.returncode,
        "a1" in other.stderr,
    )
    assert ["A fox"] == [job.arguments["prompt"] for job in jobs_of(records)]


def test_no_redis_url() -> None:
    """Without REDIS_URL the error names it and its form."""
    done = run("list", environ={})
    assert (2, True, True) == (
        done.returncode,
        "REDIS_URL is not set" in done.stderr,
        "redis://" in done.stderr,
    )


@pytest.mark.parametrize("command", [["list"], ["show", "a"], ["submit", TEXT, "prompt=A fox"]])
def test_unreachable_redis(command: list[str]) -> None:
    """An unreachable Redis is reported in one sentence, without its password."""
    done = run(*command, environ={"REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"})
    assert (2, True, False, False) == (
        done.returncode,
        "REDIS_URL" in done.stderr,
        "hunter2" in done.stderr,
        "Traceback" in done.stderr,
    )


def test_a_redis_that_hangs() -> None:
    """Where nothing can have been changed, the sentence says what to look at."""
    unanswered = redis_error(RedisTimeoutError("Timeout reading from socket"))
    assert "did not answer in time: Timeout reading from socket. It hangs or is overloaded" in (
        unanswered.message
    )


def test_unknown_job(redis_url: str) -> None:
    """The error names a job that does not exist."""
    done = run("show", "nope", environ={"REDIS_URL": redis_url})
    assert (2, True) == (done.returncode, "nope" in done.stderr)


@pytest.mark.parametrize(
    "program",
    [("-m", "webhook"), ("-m", "celery", "-A", "worker.celery", "worker", "-P", "threads")],
)
def test_processes_do_not_start_with_missing_settings(program: tuple[str, ...]) -> None:
    """Receiver and worker name every missing setting and exit with 2, without a traceback."""
    done = run(environ={"FALHOOK_SECRET": "short"}, program=program)
    required = ["REDIS_URL", "FALHOOK_PUBLIC_URL", "FALHOOK_SECRET", "FALHOOK_FAL_USER_IDS"]
    assert (2, [], False) == (
        done.returncode,
        [name for name in required if name not in done.stderr],
        "Traceback" in done.stderr,
    )


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("FALHOOK_STORAGE_URL", "/proc/nowhere"),
        ("FALHOOK_STORAGE_URL", "ftp://files.example.com"),
        ("FALHOOK_FFMPEG", "/nowhere/ffmpeg"),
        ("FALHOOK_PUBLIC_URL", "http://hooks.example.com"),
        ("FALHOOK_PUBLIC_URL", "https://hooks.example.com/path"),
        ("FALHOOK_JWKS_URL", "http://rest.fal.ai/keys"),
        ("FALHOOK_DOWNLOAD_HOSTS", "https://"),
        ("FAL_KEY", "nocolon"),
        ("REDIS_URL", "http://localhost"),
    ],
)
def test_a_worker_refuses_an_unusable_setting(
    ready_environment: dict[str, str], setting: str, value: str
) -> None:
    """A worker names an unusable setting and exits with 2 before it takes a task."""
    program = ("-m", "celery", "-A", "worker.celery", "worker", "-P", "threads", "-c", "1")
    done = run(environ={**ready_environment, setting: value}, program=program)
    assert (2, True, False) == (
        done.returncode,
        setting in done.stderr,
        "Traceback" in done.stderr,
    )


def test_show_json(records: JobStore, redis_url: str) -> None:
    """`show --json` has the record and its history; the last event has the record's state."""
    environ = {"REDIS_URL": redis_url}
    made = run("submit", TEXT, "prompt=A fox", "--json", environ=environ)
    job_id = json.loads(made.stdout)["id"]
    shown = json.loads(run("show", job_id, "--json", environ=environ).stdout)
    assert (job_id, "QUEUED", "QUEUED") == (
        shown["id"],
        shown["state"],
        shown["history"][-1]["to"],
    )


def test_a_prompt_is_shown_unchanged(records: JobStore, redis_url: str) -> None:
    """`show` prints markup in a prompt as text."""
    environ = {"REDIS_URL": redis_url, "COLUMNS": "200"}
    run("submit", TEXT, "prompt=A [bold]fox[/bold]", "--id", "a1", environ=environ)
    assert "A [bold]fox[/bold]" in run("show", "a1", environ=environ).stdout


def test_broker_follows_redis() -> None:
    """Without a broker setting Celery uses REDIS_URL, in kombu's spelling of a socket."""
    for redis_url, broker_url in [
        ("redis://localhost/0", "redis://localhost/0"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
    ]:
        assert broker_url == Connections.from_env({"REDIS_URL": redis_url}).broker_url


def test_check_reports_each_part(ready_environment: dict[str, str]) -> None:
    """`check` reports what works and what fails, how to verify the account, and no secret."""
    Storage.open(ready_environment["FALHOOK_STORAGE_URL"])
    done = run(
        "check", "--json", environ={**ready_environment, "FALHOOK_PUBLIC_URL": "http://127.0.0.1:1"}
    )
    findings = json.loads(done.stdout)
    works = {
        name: findings[name]["ok"] for name in ("redis", "broker", "storage", "ffmpeg", "receiver")
    }
    assert (1, {"redis", "broker", "storage", "ffmpeg"}) == (
        done.returncode,
        {name for name, ok in works.items() if ok},
    )
    secrets = [
        ready_environment["FALHOOK_SECRET"],
        ready_environment["FAL_KEY"],
        ready_environment["REDIS_URL"],
    ]
    assert [] == [secret for secret in secrets if secret in done.stdout + done.stderr]
    assert "callback.foreign_account" in findings["account"]["detail"]


def test_check_creates_no_storage(ready_environment: dict[str, str]) -> None:
    """If the storage does not exist, `check` fails and does not create it."""
    finding = json.loads(run("check", "--json", environ=ready_environment).stdout)["storage"]
    assert (False, False) == (
        finding["ok"],
        Path(ready_environment["FALHOOK_STORAGE_URL"]).exists(),
    )
    assert "FALHOOK_STORAGE_URL" in finding["detail"]
    assert "mount or restore it" in finding["detail"]


def test_settings_for_machines() -> None:
    """JSON and table have each setting with its default, or that it is required."""
    settings = {
        entry["name"]: entry for entry in json.loads(run("settings", "--json", environ={}).stdout)
    }
    assert every_setting().keys() == set(settings)
    assert (True, None) == (settings["REDIS_URL"]["required"], settings["REDIS_URL"]["default"])
    assert (False, "8000") == (settings["PORT"]["required"], settings["PORT"]["default"])
    shown = run("settings", environ={}).stdout
    assert "REDIS_URL  (required)\n" in shown
    assert "PORT  (default: 8000)\n" in shown


@pytest.mark.parametrize("command", [["list"], ["models", "list"], ["watch"]])
def test_help_mentions_json_lines(command: list[str]) -> None:
    """The help says so, since a reader of one JSON document would fail."""
    assert "JSON Lines" in run(*command, "--help", environ={}).stdout


def test_show_has_the_time_when_a_job_is_due(records: JobStore, redis_url: str) -> None:
    """`show` prints the due time while there is one, and each fact on one line in a pipe."""
    environ = {"REDIS_URL": redis_url}
    prompt = "A fox, " * 100
    run("submit", TEXT, f"prompt={prompt}", "--id", "a1", environ=environ)
    records.delay_timer("a1", 1000)
    shown = run("show", "a1", environ=environ).stdout
    assert re.search(r"^due +\d\d:\d\d:\d\d UTC \(in (99\d|1000) s\)$", shown, re.MULTILINE)
    assert f'arguments   {{"prompt": "{prompt}"' in shown
    record = json.loads(run("show", "a1", "--json", environ=environ).stdout)
    assert records.due_at("a1") == record["due"]
    records.drop_timer("a1")
    assert "\ndue" not in run("show", "a1", environ=environ).stdout


@pytest.mark.parametrize("command", [["models", "show", TEXT], ["list"], ["check"]])
def test_no_color_is_plain(ready_environment: dict[str, str], command: list[str]) -> None:
    """With NO_COLOR a terminal gets no escape sequences, not even bold."""
    environ = {**ready_environment, "FORCE_COLOR": "1", "TERM": "xterm"}
    run("submit", TEXT, "prompt=A fox", environ=environ)
    escapes = ["\x1b" in run(*command, environ=environ | more).stdout for more in ({}, PLAIN)]
    assert [True, False] == escapes


def test_a_dry_run_shows_the_address_of_the_request() -> None:
    """The address follows FAL_QUEUE_RUN_HOST, as in fal-client."""
    environ = {"FAL_QUEUE_RUN_HOST": "127.0.0.1:4711"}
    done = run("submit", TEXT, "prompt=A fox", "--dry-run", environ=environ)
    assert f"POST https://127.0.0.1:4711/{TEXT}?fal_webhook=" in done.stdout


def test_a_job_cannot_control_a_terminal(records: JobStore, redis_url: str) -> None:
    """`show` escapes control characters in metadata that others wrote."""
    environ, evil = {"REDIS_URL": redis_url}, "\x1b]0;x\x07\x9b31m"
    run("submit", TEXT, "prompt=A", "--metadata", f"a={evil}", "--id", "a1", environ=environ)
    shown = run("show", "a1", environ=environ).stdout
    assert (False, True) == (bool(set(evil[0] + "\x07\x9b") & set(shown)), "31m" in shown)
