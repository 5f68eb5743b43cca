"""`make local` and `make demo` in a shell that holds the settings of a real deployment."""

import itertools
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest
import redis

from infra.local.redis.external import MARKER
from tests import ROOT
from tests.infra.local.test_environment import deployment
from webhook.shards import key_of
from worker.jobs.job import Job
from worker.jobs.store import JobStore
from worker.settings.settings import Settings

READY = re.compile("The stack is running|Ready after")
SECRET = "of-the-real-deployment"


REAL = (
    "FAL_KEY",
    "FAL_KEY_SECRET",
    "FAL_RUN_HOST",
    "FAL_QUEUE_RUN_HOST",
    "FAL_REST_HOST",
    "FALHOOK_BROKER_URL",
    "FALHOOK_PUBLIC_URL",
    "FALHOOK_SECRET",
    "FALHOOK_FAL_USER_IDS",
    "FALHOOK_JWKS_URL",
    "FALHOOK_META_URL",
    "FALHOOK_FAL_API_HOST",
    "FALHOOK_HOST",
    "FALHOOK_API_HOST",
    "FALHOOK_API_URL",
    "FALHOOK_API_KEY",
    "FALHOOK_STORAGE_URL",
    "FALHOOK_DOWNLOAD_HOSTS",
    "CELERY_BROKER_URL",
)


def real_shell(redis_url: str) -> dict[str, str]:
    """A shell that has sourced the .env of a real deployment."""
    kept = {name: value for name, value in os.environ.items() if name not in deployment()}
    real = {name: f"{name.lower()}-{SECRET}" for name in REAL}
    home = {"HOME": os.environ["HOME"]}
    return {**kept, **home, **real, "FALHOOK_PROFILE": "web", "REDIS_URL": redis_url}


def command(verb: str, directory: Path) -> list[str]:
    """The command that make runs."""
    options = ["--directory", str(directory)] if verb == "up" else []
    return [sys.executable, "-m", "infra.local", verb, *options]


@contextmanager
def running(
    verb: str, directory: Path, environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """Run the verb, yield once its stack is ready, and terminate it at the end."""
    with subprocess.Popen(
        command(verb, directory), cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any(READY.search(line) for line in process.stdout)
        try:
            yield process
        finally:
            children = []
            with suppress(psutil.NoSuchProcess):
                children = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            process.communicate(timeout=60)
            # None may write to the Redis of the next test.
            psutil.wait_procs(children, timeout=20)


def refused(
    verb: str, directory: Path, redis_url: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run the verb where it cannot start; return the finished process."""
    return subprocess.run(
        command(verb, directory),
        cwd=ROOT,
        env={**os.environ, **environ, "REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environments(process: subprocess.Popen[str]) -> dict[str, dict[str, str]]:
    """The environment of each child process, by its command."""
    by_command = {}
    owner = psutil.Process(process.pid)
    for child in owner.children(recursive=True):
        with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            # Between fork and exec a child still has the command of its owner.
            if child.cmdline() != owner.cmdline():
                by_command[" ".join(child.cmdline())] = child.environ()
    return by_command


@pytest.mark.parametrize("verb", ["up", "demo"])
def test_nothing_of_a_deployment_reaches_a_process(
    verb: str, tmp_path: Path, redis_url: str
) -> None:
    """No process has the fal key, an address, a secret or the storage of the shell."""
    with running(verb, tmp_path, real_shell(redis_url)) as process:
        seen = environments(process)
    names = (
        "submit",
        "callbacks",
        "media",
        "publish",
        "notify",
        "worker metrics",
        "beat",
        "webhook",
        "-m api",
        "infra.local.fal",
    )
    assert [] == [name for name in names if not any(name in line for line in seen)]
    leaks = [
        (line, name)
        for line, environ in seen.items()
        for name, value in environ.items()
        if SECRET in value
    ]
    assert [] == leaks
    posting = next(environ for line, environ in seen.items() if "-Q submit" in line)
    host = posting["FAL_QUEUE_RUN_HOST"]
    assert (True, host, True) == (
        host.startswith("localhost:"),
        posting["FAL_RUN_HOST"],
        posting["FAL_KEY"].startswith("sim-"),
    )


def test_the_shells_profile_is_kept_and_the_env_file_leads_to_this_stack(
    tmp_path: Path, redis_url: str
) -> None:
    """A shell that sources var/local/env keeps its profile and uses only this stack."""
    shell = real_shell(redis_url)
    with running("up", tmp_path, shell):
        words = shlex.split((tmp_path / "env").read_text())
        with redis.Redis.from_url(redis_url) as client:
            assert 1 == client.exists(MARKER)
    sourced = dict(word.split("=", 1) for word in words if word != "export")
    settings = Settings.from_env({**shell, **sourced})
    assert ("web", redis_url, redis_url, "") == (
        settings.profile,
        settings.redis_url,
        settings.broker_url,
        settings.meta_url,
    )
    assert [] == [name for name, value in sourced.items() if SECRET in value]
    assert f"http://127.0.0.1:{sourced['FALHOOK_API_PORT']}" == sourced["FALHOOK_API_URL"]
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize("verb", ["up", "demo"])
def test_a_shell_that_sourced_the_env_file_starts_a_stack_of_its_own(
    tmp_path: Path, verb: str
) -> None:
    """Neither the Redis nor the certificates of the stack before, which has ended, are used."""
    shell = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    with running("up", tmp_path, shell):
        words = shlex.split((tmp_path / "env").read_text())
    sourced = dict(word.split("=", 1) for word in words if word != "export")
    sourced["PATH"] = sourced["PATH"].replace("$PATH", shell["PATH"])
    with running(verb, tmp_path, {**shell, **sourced}) as process:
        seen = environments(process)
    receiver = next(environ for line, environ in seen.items() if "webhook" in line)
    assert sourced["REDIS_URL"] != receiver["REDIS_URL"]


def test_the_screen_shows_addresses_and_jobs_and_the_file_has_the_logs(
    tmp_path: Path, redis_url: str, records: JobStore
) -> None:
    """No line of a process reaches the screen; a job that moves is one line."""
    shell = {**os.environ, "REDIS_URL": redis_url}
    with running("up", tmp_path, shell) as process:
        job = Job(id="shown-1", endpoint="fal-ai/any", arguments={})
        records.add(job, due=time.time() + 600, event={"name": "created"})
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "shown-1" in line:
                break
    assert ["QUEUED"] == lines[-1].split()[2:]
    assert [] == [line for line in lines if "{" in line]
    log = (tmp_path / "stack.log").read_text()
    assert "web" in {line.split()[0] for line in log.splitlines()}


def test_the_api_of_the_stack_accepts_its_key(tmp_path: Path, redis_url: str) -> None:
    """The screen has its addresses and a link that signs in once, the env file a key for it."""
    shell = {**os.environ, "REDIS_URL": redis_url}
    with running("up", tmp_path, shell) as process:
        words = shlex.split((tmp_path / "env").read_text())
        sourced = dict(word.split("=", 1) for word in words if word != "export")
        url, key = sourced["FALHOOK_API_URL"], sourced["FALHOOK_API_KEY"]
        answer = httpx.get(f"{url}/v1/keys", headers={"Authorization": f"Bearer {key}"})
        assert process.stdout is not None
        screen = list(itertools.takewhile(lambda line: "Ctrl-C" not in line, process.stdout))
        [link] = [line.split()[1] for line in screen if line.startswith("Console:")]
        console = [httpx.get(link).status_code for _ in range(2)]
    assert [303, 401] == console
    assert ([key[4:12]], ["admin"]) == (
        [each["id"] for each in answer.json()["keys"]],
        answer.json()["keys"][0]["scopes"],
    )
    addresses = [line.split(":", 1)[1].split()[0] for line in screen if line.startswith("API")]
    assert [url, f"{url}/docs"] == addresses


def test_a_second_signal_does_not_interrupt_the_shutdown(tmp_path: Path) -> None:
    """A signal to a process group reaches the child twice: directly, and again through make."""
    shell = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    with running("up", tmp_path, shell) as process:
        assert (tmp_path / "env").exists()
        while process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.001)
    assert (130, False) == (process.returncode, (tmp_path / "env").exists())


@pytest.mark.parametrize("verb", ["up", "demo"])
def test_a_deployments_jobs_are_left_alone(
    verb: str, tmp_path: Path, redis_url: str, records: JobStore
) -> None:
    """If REDIS_URL holds a job, the verb exits with code 2 and one line, and the job stays."""
    job = Job(id="paid-1", endpoint="fal-ai/any", arguments={})
    records.add(job, due=1.0, event={"name": "created"})
    done = refused(verb, tmp_path, redis_url, **real_shell(redis_url))
    assert (2, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert "1 job of falhook" in done.stderr
    keys = set(records.redis.scan_iter())
    names = ("job:paid-1", "events", "jobs", "jobs:QUEUED", "m", "timers")
    assert {key_of("paid-1", name) for name in names} == keys


@pytest.mark.parametrize("verb", ["up", "demo"])
def test_a_limited_terminal_encoding_is_no_error(verb: str, tmp_path: Path) -> None:
    """Messages are printed even if the encoding lacks some of their characters."""
    unused_address = "redis://127.0.0.1:1/0"
    done = refused(verb, tmp_path, unused_address, PYTHONIOENCODING="ascii")
    assert (2, "REDIS_URL") == (done.returncode, done.stderr.split()[0])


def test_an_unusable_directory_is_named(tmp_path: Path, redis_url: str) -> None:
    """`make local` names the directory that it cannot use, and the reason, in one line."""
    taken = tmp_path / "a-file"
    taken.touch()
    done = refused("up", taken / "local", redis_url)
    assert (2, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert f"{taken / 'local'} cannot be used: Not a directory." in done.stderr
