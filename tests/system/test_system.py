"""The whole system from outside: the Procfile's own processes, the command line, HTTP, Celery.

Imports none of ours. What it knows, README says.
"""

import json
import os
import re
import shlex
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
from celery import Celery

from tests import ROOT

KLING = "fal-ai/kling-video"
TEXT = f"{KLING}/v2.1/master/text-to-video"


class System:
    """A running stack, as its user has it: an environment, and the directory of its files."""

    def __init__(
        self, process: subprocess.Popen[str], directory: Path, said: Sequence[str]
    ) -> None:
        self.process = process
        self.directory = directory
        self.said = said
        exports = shlex.split((directory / "env").read_text(), comments=False)
        given = (word.partition("=") for word in exports if word != "export")
        self.environ = {**os.environ, **{name: value for name, _, value in given}}

    def falhook(self, *arguments: str, code: int = 0) -> list[dict[str, object]]:
        """The JSON lines that a command printed, which must exit with `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "worker", *arguments, "--json"],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert code == done.returncode, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def answers(self) -> bool:
        """Whether the receiver says that all it needs is there."""
        try:
            with urllib.request.urlopen(f"{self.environ['FALHOOK_PUBLIC_URL']}/readyz"):
                return True
        except OSError:
            return False

    def submit(self, mishap: str = "", endpoint: str = TEXT, **arguments: object) -> str:
        """Make a job and give its id."""
        prompt = f"A fox [[sim: {mishap}]]" if mishap else "A fox"
        given = {"prompt": prompt, **arguments}
        order = json.dumps({name: value for name, value in given.items() if value is not None})
        [job] = self.falhook("submit", endpoint, "--arguments", order)
        return str(job["id"])

    def ended(self, *job_ids: str) -> list[Mapping[str, object]]:
        """The jobs once all have ended."""
        watching = [sys.executable, "-m", "worker", "watch", *job_ids, "--json"]
        subprocess.run(
            watching, env=self.environ, stdout=subprocess.DEVNULL, check=False, timeout=150
        )
        listed = {job["id"]: job for job in self.falhook("list", "--limit", "1000")}
        return [listed[job_id] for job_id in job_ids]

    def counts(self) -> dict[str, dict[str, dict[str, object]]]:
        """What the simulated fal counted."""
        context = ssl.create_default_context(cafile=self.environ["SSL_CERT_FILE"])
        url = f"https://{self.environ['FAL_QUEUE_RUN_HOST']}/_sim/counts"
        with urllib.request.urlopen(url, context=context) as answer:
            counts: dict[str, dict[str, dict[str, object]]] = json.load(answer)
        return counts

    def asked(self, *jobs: Mapping[str, object]) -> list[tuple[int, int, int]]:
        """POSTs, status requests and result requests that fal saw for each job."""
        counts = self.counts()
        posts = {
            url.split("/")[-2]: seen["submit_posts"] for url, seen in counts["webhooks"].items()
        }
        requests = [counts["requests"].get(str(job["request_id"]), {}) for job in jobs]
        return [
            (
                int(str(posts.get(str(job["id"]), 0))),
                int(str(seen.get("status", 0))),
                int(str(seen.get("result", 0))),
            )
            for job, seen in zip(jobs, requests, strict=True)
        ]

    def published(self, job_id: str) -> list[str]:
        """The names of the files that are in place for a job."""
        folder = self.directory / "storage" / "published" / job_id
        return sorted(path.name for path in folder.glob("*"))

    def manifest(self, job_id: str) -> dict[str, Any]:
        """What the manifest of a published job says."""
        path = self.directory / "storage" / "published" / job_id / "manifest.json"
        told: dict[str, Any] = json.loads(path.read_text())
        return told

    def program(self, word: str) -> psutil.Process:
        """The running process of the stack whose command holds `word`."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
                if word in " ".join(child.cmdline()):
                    return child
        raise LookupError(word)


@contextmanager
def stack(directory: Path, *fal_options: str) -> Iterator[System]:
    """Run the stack in `directory`, from when it says that it runs."""
    command = [sys.executable, "-m", "infra.local", "up", "--directory", str(directory)]
    kept = {name: value for name, value in os.environ.items() if name not in {"REDIS_URL", "PORT"}}
    said: list[str] = []
    ready = threading.Event()

    def read(lines: IO[str]) -> None:
        for line in lines:
            said.append(line)
            if "The stack runs" in line:
                ready.set()
        ready.set()

    with subprocess.Popen(
        [*command, *fal_options], cwd=ROOT, env=kept, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=read, args=(process.stdout,))
        reader.start()
        try:
            assert ready.wait(60)
            assert process.poll() is None, "".join(said)
            yield System(process, directory, said)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            reader.join()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One stack for this module, whose fal renders in half a second."""
    with stack(tmp_path_factory.mktemp("stack") / "local", "--render-seconds", "0.5") as running:
        yield running
        assert 0 == running.counts()["total"].get("status", 0), "a status address was asked"


FILES = ["manifest.json", "poster.jpg", "video.mp4"]


def test_the_main_job(system: System) -> None:
    """A job goes from the command line to published files; fal sees one POST and nothing else."""
    job_id = system.submit(duration="5", aspect_ratio="9:16")
    [job] = system.ended(job_id)
    assert ("PUBLISHED", FILES, [(1, 0, 0)]) == (
        job["state"],
        system.published(job_id),
        system.asked(job),
    )
    told = system.manifest(job_id)
    assert (job_id, TEXT, job["request_id"], 5.0) == (
        told["job_id"],
        told["endpoint"],
        told["request_id"],
        round(told["video"]["seconds"], 1),
    )
    assert told["video"]["height"] > told["video"]["width"]


def test_every_kind_of_result_is_published(system: System) -> None:
    """Not only clips: pictures and sounds as files, and a voice's id in the manifest itself."""
    page = "https://example.com"
    voice = system.submit(endpoint=f"{KLING}/create-voice", voice_url=f"{page}/me.mp3", prompt=None)
    speech = system.submit(endpoint=f"{KLING}/v1/tts", text="Hello", prompt=None)
    image = system.submit(endpoint="fal-ai/kling-image/v3/text-to-image")
    assert ["PUBLISHED"] * 3 == [job["state"] for job in system.ended(voice, speech, image)]
    told = system.manifest(voice)
    assert ("result", {}, ["voice_id"]) == (told["method"], told["files"], list(told["result"]))
    assert ["audio-1.mp3", "manifest.json"] == system.published(speech)
    assert ["image-1.png", "manifest.json"] == system.published(image)


MISHAPS = {
    "callback-twice": ("PUBLISHED", (1, 0, 0)),
    "callback-before-answer": ("PUBLISHED", (1, 0, 0)),
    "callback-many=20": ("PUBLISHED", (1, 0, 0)),
    "conflicting": ("PUBLISHED", (1, 0, 0)),
    "answer-lost": ("PUBLISHED", (1, 0, 0)),
    "status-502-nginx, accepted": ("PUBLISHED", (1, 0, 0)),
    "payload-null": ("PUBLISHED", (1, 0, 1)),
    "cdn-cut=1": ("PUBLISHED", (1, 0, 0)),
    "error-422": ("FAILED", (1, 0, 0)),
    "error-policy": ("FAILED", (1, 0, 0)),
    "status-422": ("FAILED", (1, 0, 0)),
    "file-hostile=playlist": ("FAILED", (1, 0, 0)),
    "file-foreign-host": ("FAILED", (1, 0, 0)),
}


def test_mishaps(system: System) -> None:
    """Whatever fal does, each job is posted once, never polled, and ends as it must."""
    job_ids = {mishap: system.submit(mishap) for mishap in MISHAPS}
    ended = system.ended(*job_ids.values())
    jobs = dict(zip(MISHAPS, ended, strict=True))
    states = [str(job["state"]) for job in ended]
    seen = dict(zip(MISHAPS, zip(states, system.asked(*ended), strict=True), strict=True))
    assert MISHAPS == seen
    published = [name for name, (state, _) in MISHAPS.items() if state == "PUBLISHED"]
    assert [FILES] * len(published) == [system.published(job_ids[name]) for name in published]
    assert [] == [n for n, (s, _) in MISHAPS.items() if s == "FAILED" and not jobs[n]["sentence"]]


def test_no_secret_reaches_the_log(system: System) -> None:
    """After all these jobs no line of ours holds a key, a secret, a token or a prompt."""
    lines = [line for line in system.said if " fal " not in line.partition("|")[0]]
    secrets = [system.environ[name] for name in ("FAL_KEY", "FALHOOK_SECRET", "REDIS_URL")]
    token = re.compile(r"/webhooks/fal/[^/]+/\d+\.")
    leaks = [
        line
        for line in lines
        if any(secret in line for secret in [*secrets, "A fox"]) or token.search(line)
    ]
    assert ([], True) == (leaks, any("job.moved" in line for line in lines))


def test_any_celery_client_makes_a_job(system: System) -> None:
    """A message from a codebase that has nothing of ours becomes a job; sent twice, one job."""
    client = Celery(broker=system.environ["REDIS_URL"])
    order = {"job_id": "theirs-1", "endpoint": TEXT, "arguments": {"prompt": "A fox"}}
    for _ in range(2):
        client.send_task("falhook.create", kwargs=order, queue="submit")
    refused = {"job_id": "theirs-2", "endpoint": TEXT, "arguments": {"promt": "A fox"}}
    client.send_task("falhook.create", kwargs=refused, queue="submit")
    more = {**order, "job_id": "theirs-3", "notify_url": "https://app.example.com/done"}
    client.send_task("falhook.create", kwargs=more, queue="submit")
    until(lambda: len(_known(system, "theirs-1", "theirs-2", "theirs-3")) == 3)
    first, second, third = system.ended("theirs-1", "theirs-2", "theirs-3")
    assert ("PUBLISHED", [(1, 0, 0)]) == (first["state"], system.asked(first))
    assert ("FAILED", "invalid_arguments", True) == (
        second["state"],
        second["reason"],
        "prompt" in str(second["sentence"]),
    )
    assert ("FAILED", True) == (third["state"], "notify_url" in str(third["sentence"]))


def test_a_message_that_comes_again_is_paid_once(system: System) -> None:
    """Without an id of its own it has that of its task; a refused one may be sent corrected."""
    client = Celery(broker=system.environ["REDIS_URL"])
    task_id = "0d0f6a55-3f0e-4b7e-8d6c-6a5b2f7c9e11"
    order = {"endpoint": TEXT, "arguments": {"prompt": "A fox"}}
    for _ in range(3):
        client.send_task("falhook.create", kwargs=order, queue="submit", task_id=task_id)
    wrong = {**order, "job_id": "theirs-4", "arguments": {"promt": "A fox"}}
    client.send_task("falhook.create", kwargs=wrong, queue="submit")
    until(lambda: len(_known(system, task_id, "theirs-4")) == 2)
    client.send_task("falhook.create", kwargs={**order, "job_id": "theirs-4"}, queue="submit")
    until(lambda: _state(system, "theirs-4") != "FAILED")
    jobs = system.ended(task_id, "theirs-4")
    assert ["PUBLISHED"] * 2 == [job["state"] for job in jobs]
    assert [(1, 0, 0)] * 2 == system.asked(*jobs)


def _state(system: System, job_id: str) -> object:
    [job] = system.falhook("show", job_id)
    return job["state"]


def _known(system: System, *job_ids: str) -> list[str]:
    listed = {str(job["id"]) for job in system.falhook("list")}
    return [job_id for job_id in job_ids if job_id in listed]


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for what no event of the outside tells."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass in time"


def test_killed_processes_lose_and_repeat_nothing(system: System) -> None:
    """With every worker, the receiver and Redis killed under way, each job is posted and
    published once.
    """
    job_ids = [system.submit("render=2") for _ in range(4)]
    for word in ("-Q submit", "-Q callbacks", "-Q media", "-Q publish", "webhook", "redis-server"):
        system.program(word).kill()
    until(system.answers)
    job_ids += [system.submit() for _ in range(2)]
    jobs = system.ended(*job_ids)
    assert ["PUBLISHED"] * 6 == [job["state"] for job in jobs]
    assert [(1, 0, 0)] * 6 == system.asked(*jobs)
    assert [FILES] * 6 == [system.published(job_id) for job_id in job_ids]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(tmp_path: Path, how: signal.Signals) -> None:
    """However the stack is ended, none of its processes outlives it."""
    with stack(tmp_path / "local") as running:
        children = psutil.Process(running.process.pid).children(recursive=True)
        running.process.send_signal(how)
        running.process.wait(30)
        _, alive = psutil.wait_procs(children, timeout=15)
    assert [] == [child.cmdline() for child in alive]
