"""The command line with bad input: one clear sentence with the cure, exit code 2, nothing done."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import ROOT
from webhook.settings import Connections
from worker.jobs.store import JobStore
from worker.settings import Settings
from worker.storage import Storage

TEXT = "fal-ai/kling-video/v2.1/master/text-to-video"
PLAIN = {"NO_COLOR": "1"}


def run(
    *arguments: str, environ: Mapping[str, str], program: tuple[str, ...] = ("-m", "worker")
) -> subprocess.CompletedProcess[str]:
    """A command that ran with `environ` alone."""
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
    """Bad input is told in words that name it, and no job is made."""
    arguments, words = BAD_INPUT[name]
    done = run("submit", *arguments, environ={"REDIS_URL": redis_url})
    assert (2, "", []) == (
        done.returncode,
        done.stdout,
        [word for word in words if word not in done.stderr],
    )
    assert (0, False) == (len(records.list()), "Traceback" in done.stderr)


def test_a_flag_that_is_none_is_data_for_machines_too() -> None:
    """What is refused before a command runs comes as JSON as well, where that was asked for."""
    done = run("submit", TEXT, "--priority", "high", "--json", environ={})
    error = json.loads(done.stderr)["error"]
    assert (2, "", "bad_usage") == (done.returncode, done.stdout, error["reason"])
    assert "'high' is not one of" in error["sentence"]


def test_the_same_id_with_other_contents(records: JobStore, redis_url: str) -> None:
    """An id that belongs to another job is refused, and that job stays as it was."""
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
    assert ["A fox"] == [job.arguments["prompt"] for job in records.list()]


def test_no_redis_url() -> None:
    """Without REDIS_URL a command names it and says what belongs there."""
    done = run("list", environ={})
    assert (2, True, True) == (
        done.returncode,
        "REDIS_URL is not set" in done.stderr,
        "redis://" in done.stderr,
    )


@pytest.mark.parametrize("command", [["list"], ["show", "a"], ["submit", TEXT, "prompt=A fox"]])
def test_unreachable_redis(command: list[str]) -> None:
    """An unreachable Redis is told in a sentence, without its password."""
    done = run(*command, environ={"REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"})
    assert (2, True, False, False) == (
        done.returncode,
        "REDIS_URL" in done.stderr,
        "hunter2" in done.stderr,
        "Traceback" in done.stderr,
    )


def test_unknown_job(redis_url: str) -> None:
    """A job that is not there is named."""
    done = run("show", "nope", environ={"REDIS_URL": redis_url})
    assert (2, True) == (done.returncode, "nope" in done.stderr)


@pytest.mark.parametrize(
    "program",
    [("-m", "webhook"), ("-m", "celery", "-A", "worker.celery", "worker", "-P", "threads")],
)
def test_processes_refuse_to_start_half_configured(program: tuple[str, ...]) -> None:
    """Receiver and worker name every missing setting and exit with 2, without a traceback."""
    done = run(environ={"FALHOOK_SECRET": "short"}, program=program)
    required = ["REDIS_URL", "FALHOOK_PUBLIC_URL", "FALHOOK_SECRET", "FALHOOK_FAL_USER_IDS"]
    assert (2, [], False) == (
        done.returncode,
        [name for name in required if name not in done.stderr],
        "Traceback" in done.stderr,
    )


@pytest.fixture
def complete(redis_url: str, tmp_path: Path) -> dict[str, str]:
    """Settings with which a worker would start."""
    return {
        "REDIS_URL": redis_url,
        "FALHOOK_PUBLIC_URL": "https://hooks.example.com",
        "FALHOOK_SECRET": "0123456789abcdef",
        "FALHOOK_FAL_USER_IDS": "us",
        "FAL_KEY": "id:secret",
        "FALHOOK_STORAGE_URL": str(tmp_path / "storage"),
    }


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
    complete: dict[str, str], setting: str, value: str
) -> None:
    """A setting that cannot work is named before the first task is taken, with exit code 2."""
    program = ("-m", "celery", "-A", "worker.celery", "worker", "-P", "threads", "-c", "1")
    done = run(environ={**complete, setting: value}, program=program)
    assert (2, True, False) == (
        done.returncode,
        setting in done.stderr,
        "Traceback" in done.stderr,
    )


def test_show_json(records: JobStore, redis_url: str) -> None:
    """`show --json` has the record and its history, of which the last state is the record's."""
    environ = {"REDIS_URL": redis_url}
    made = run("submit", TEXT, "prompt=A fox", "--json", environ=environ)
    job_id = json.loads(made.stdout)["id"]
    shown = json.loads(run("show", job_id, "--json", environ=environ).stdout)
    assert (job_id, "QUEUED", "QUEUED") == (
        shown["id"],
        shown["state"],
        shown["history"][-1]["to"],
    )


def test_a_prompt_is_shown_as_it_is(records: JobStore, redis_url: str) -> None:
    """What looks like markup in a prompt is text to `show`."""
    environ = {"REDIS_URL": redis_url, "COLUMNS": "200"}
    run("submit", TEXT, "prompt=A [bold]fox[/bold]", "--id", "a1", environ=environ)
    assert "A [bold]fox[/bold]" in run("show", "a1", environ=environ).stdout


def test_broker_follows_redis() -> None:
    """Without a broker of its own, Celery uses REDIS_URL, in kombu's spelling of a socket."""
    for redis_url, broker_url in [
        ("redis://localhost/0", "redis://localhost/0"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
    ]:
        assert broker_url == Connections.from_env({"REDIS_URL": redis_url}).broker_url


def test_check_tells_each_part(complete: dict[str, str]) -> None:
    """`check` tells what works and what does not, how to learn the account, and no secret."""
    Storage.open(complete["FALHOOK_STORAGE_URL"])
    done = run("check", "--json", environ={**complete, "FALHOOK_PUBLIC_URL": "http://127.0.0.1:1"})
    told = json.loads(done.stdout)
    works = {
        name: told[name]["ok"] for name in ("redis", "broker", "storage", "ffmpeg", "receiver")
    }
    assert (1, {"redis", "broker", "storage", "ffmpeg"}) == (
        done.returncode,
        {name for name, ok in works.items() if ok},
    )
    secrets = [complete["FALHOOK_SECRET"], complete["FAL_KEY"], complete["REDIS_URL"]]
    assert [] == [secret for secret in secrets if secret in done.stdout + done.stderr]
    assert "callback.foreign_account" in told["account"]["detail"]


def test_check_makes_no_storage(complete: dict[str, str]) -> None:
    """Where no worker has made it, or its volume is away, `check` fails and leaves it so."""
    told = json.loads(run("check", "--json", environ=complete).stdout)["storage"]
    assert (False, False) == (told["ok"], Path(complete["FALHOOK_STORAGE_URL"]).exists())
    assert "FALHOOK_STORAGE_URL" in told["detail"]
    assert "mount or restore it, or start a worker" in told["detail"]


def test_settings_for_machines() -> None:
    """Each setting with what it is where nobody sets it, and which have to be set."""
    told = {
        entry["name"]: entry for entry in json.loads(run("settings", "--json", environ={}).stdout)
    }
    assert Settings.names() == set(told)
    assert (True, None) == (told["REDIS_URL"]["required"], told["REDIS_URL"]["default"])
    assert (False, "8000") == (told["PORT"]["required"], told["PORT"]["default"])
    shown = run("settings", environ={}).stdout
    assert "REDIS_URL  (required)\n" in shown
    assert "PORT  (default: 8000)\n" in shown


@pytest.mark.parametrize("command", [["list"], ["models", "list"], ["watch"]])
def test_help_tells_of_json_lines(command: list[str]) -> None:
    """Where one object a line comes, a reader of a whole document would fail."""
    assert "JSON Lines" in run(*command, "--help", environ={}).stdout


def test_show_tells_when_a_job_is_due(records: JobStore, redis_url: str) -> None:
    """By then it has moved, or somebody looks after it; a pipe gets each fact whole."""
    environ = {"REDIS_URL": redis_url}
    prompt = "A fox, " * 100
    run("submit", TEXT, f"prompt={prompt}", "--id", "a1", environ=environ)
    records.delay_timer("a1", 1000)
    shown = run("show", "a1", environ=environ).stdout
    assert re.search(r"^due +\d\d:\d\d:\d\d UTC \(in (99\d|1000) s\)$", shown, re.MULTILINE)
    assert f'arguments   {{"prompt": "{prompt}"' in shown
    told = json.loads(run("show", "a1", "--json", environ=environ).stdout)
    assert records.due_at("a1") == told["due"]
    records.drop_timer("a1")
    assert "\ndue" not in run("show", "a1", environ=environ).stdout


@pytest.mark.parametrize("command", [["models", "show", TEXT], ["list"], ["check"]])
def test_no_color_is_plain(complete: dict[str, str], command: list[str]) -> None:
    """Not even bold, in what is taken for a terminal."""
    environ = {**complete, "FORCE_COLOR": "1", "TERM": "xterm"}
    run("submit", TEXT, "prompt=A fox", environ=environ)
    escapes = ["\x1b" in run(*command, environ=environ | more).stdout for more in ({}, PLAIN)]
    assert [True, False] == escapes


def test_a_dry_run_tells_the_address_that_would_be_asked() -> None:
    """As fal-client would find it."""
    environ = {"FAL_QUEUE_RUN_HOST": "127.0.0.1:4711"}
    done = run("submit", TEXT, "prompt=A fox", "--dry-run", environ=environ)
    assert f"POST https://127.0.0.1:4711/{TEXT}?fal_webhook=" in done.stdout


def test_a_job_steers_no_terminal(records: JobStore, redis_url: str) -> None:
    """Whoever may make jobs may write into their arguments and metadata."""
    environ, evil = {"REDIS_URL": redis_url}, "\x1b]0;x\x07\x9b31m"
    run("submit", TEXT, "prompt=A", "--metadata", f"a={evil}", "--id", "a1", environ=environ)
    shown = run("show", "a1", environ=environ).stdout
    assert (False, True) == (bool(set(evil[0] + "\x07\x9b") & set(shown)), "31m" in shown)
