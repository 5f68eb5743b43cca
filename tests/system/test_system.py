"""The whole system from outside: the processes of the Procfile, the command line, HTTP, Celery.

It imports nothing from webhook, worker or infra, and uses only what README and docs/ document.
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

# The system is driven from outside only: this path is its own.
ROOT = Path(__file__).parents[2]
KLING = "fal-ai/kling-video"
TEXT = f"{KLING}/v2.1/master/text-to-video"


class System:
    """A running stack as its user sees it: an environment and a directory of files."""

    def __init__(
        self, process: subprocess.Popen[str], directory: Path, output: Sequence[str]
    ) -> None:
        self.process = process
        self.directory = directory
        self.output = output
        exports = shlex.split((directory / "env").read_text(), comments=False)
        assignments = (word.partition("=") for word in exports if word != "export")
        self.environ = {**os.environ, **{name: value for name, _, value in assignments}}
        self.environ["PATH"] = self.environ["PATH"].replace("$PATH", os.environ["PATH"])

    def falhook(self, *arguments: str, code: int = 0) -> list[dict[str, object]]:
        """Run a command that must exit with `code`; return its JSON lines."""
        process = subprocess.run(
            [sys.executable, "-m", "worker", *arguments, "--json"],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert code == process.returncode, process.stderr
        return [json.loads(line) for line in process.stdout.splitlines()]

    def ready(self) -> bool:
        """Return whether the receiver is ready."""
        try:
            with urllib.request.urlopen(f"{self.environ['FALHOOK_PUBLIC_URL']}/readyz"):
                return True
        except OSError:
            return False

    def submit(self, mishap: str = "", endpoint: str = TEXT, **arguments: object) -> str:
        """Create a job; return its id."""
        prompt = f"A fox [[sim: {mishap}]]" if mishap else "A fox"
        fields = {"prompt": prompt, **arguments}
        document = json.dumps({name: value for name, value in fields.items() if value is not None})
        [job] = self.falhook("submit", endpoint, "--arguments", document)
        return str(job["id"])

    def ended(self, *job_ids: str) -> list[Mapping[str, object]]:
        """Wait until the jobs have ended; return them."""
        command = [sys.executable, "-m", "worker", "watch", *job_ids, "--json"]
        subprocess.run(
            command, env=self.environ, stdout=subprocess.DEVNULL, check=False, timeout=300
        )
        listed = {job["id"]: job for job in self.falhook("list", "--limit", "1000")}
        return [listed[job_id] for job_id in job_ids]

    def counts(self) -> dict[str, dict[str, dict[str, object]]]:
        """Return the counters of the simulated fal."""
        context = ssl.create_default_context(cafile=self.environ["SSL_CERT_FILE"])
        url = f"https://{self.environ['FAL_QUEUE_RUN_HOST']}/_sim/counts"
        with urllib.request.urlopen(url, context=context) as response:
            counts: dict[str, dict[str, dict[str, object]]] = json.load(response)
        return counts

    def requests(self, *jobs: Mapping[str, object]) -> list[tuple[int, int, int]]:
        """Return how many POSTs, status requests and result requests fal counted for each job."""
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
        """Return the names of the published files of a job."""
        folder = self.directory / "storage" / "published" / job_id
        return sorted(path.name for path in folder.glob("*"))

    def manifest(self, job_id: str) -> dict[str, Any]:
        """Return the manifest of a published job."""
        path = self.directory / "storage" / "published" / job_id / "manifest.json"
        manifest: dict[str, Any] = json.loads(path.read_text())
        return manifest

    def program(self, word: str) -> psutil.Process:
        """Return the running process of the stack whose command contains `word`."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
                if word in " ".join(child.cmdline()):
                    return child
        raise LookupError(word)


@contextmanager
def stack(directory: Path, *fal_options: str, **settings: str) -> Iterator[System]:
    """Run the stack in `directory` until the block ends; yield it once it runs."""
    command = [sys.executable, "-m", "infra.local", "up", "--directory", str(directory)]
    kept = {name: value for name, value in os.environ.items() if name not in {"REDIS_URL", "PORT"}}
    kept |= settings
    output: list[str] = []
    ready = threading.Event()

    def read(lines: IO[str]) -> None:
        for line in lines:
            output.append(line)
            if "The stack is running" in line:
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
            assert process.poll() is None, "".join(output)
            yield System(process, directory, output)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            reader.join()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A stack for all tests of this module; its fal renders in half a second."""
    with stack(tmp_path_factory.mktemp("stack") / "local", "--render-seconds", "0.5") as running:
        yield running
        assert 0 == running.counts()["total"].get("status", 0), "a status was requested"


FILES = ["manifest.json", "poster.jpg", "video.mp4"]


def test_the_main_job(system: System) -> None:
    """A job goes from the command line to published files with one POST to fal."""
    job_id = system.submit(duration="5", aspect_ratio="9:16")
    [job] = system.ended(job_id)
    assert ("PUBLISHED", FILES, [(1, 0, 0)]) == (
        job["state"],
        system.published(job_id),
        system.requests(job),
    )
    manifest = system.manifest(job_id)
    assert (job_id, TEXT, job["request_id"], 5.0) == (
        manifest["job_id"],
        manifest["endpoint"],
        manifest["request_id"],
        round(manifest["video"]["seconds"], 1),
    )
    assert manifest["video"]["height"] > manifest["video"]["width"]


def test_every_kind_of_result_is_published(system: System) -> None:
    """Images and sounds are published as files, and a voice's id in the manifest."""
    page = "https://example.com"
    voice = system.submit(endpoint=f"{KLING}/create-voice", voice_url=f"{page}/me.mp3", prompt=None)
    speech = system.submit(endpoint=f"{KLING}/v1/tts", text="Hello", prompt=None)
    image = system.submit(endpoint="fal-ai/kling-image/v3/text-to-image")
    assert ["PUBLISHED"] * 3 == [job["state"] for job in system.ended(voice, speech, image)]
    manifest = system.manifest(voice)
    assert ("result", {}, ["voice_id"]) == (
        manifest["method"],
        manifest["files"],
        list(manifest["result"]),
    )
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


# Two minutes for a file that the CDN does not have yet.
@pytest.mark.timeout(400)
def test_mishaps(system: System) -> None:
    """With each mishap, a job is posted once, never polled, and ends as expected."""
    job_ids = {mishap: system.submit(mishap) for mishap in MISHAPS}
    ended = system.ended(*job_ids.values())
    jobs = dict(zip(MISHAPS, ended, strict=True))
    states = [str(job["state"]) for job in ended]
    seen = dict(zip(MISHAPS, zip(states, system.requests(*ended), strict=True), strict=True))
    assert MISHAPS == seen
    published = [name for name, (state, _) in MISHAPS.items() if state == "PUBLISHED"]
    assert [FILES] * len(published) == [system.published(job_ids[name]) for name in published]
    assert [] == [n for n, (s, _) in MISHAPS.items() if s == "FAILED" and not jobs[n]["sentence"]]


def test_no_secret_reaches_the_log(system: System) -> None:
    """After these jobs no log line of falhook holds a key, a secret, a token or a prompt."""
    log = (system.directory / "stack.log").read_text().splitlines()
    lines = [line for line in [*system.output, *log] if not line.startswith("fal ")]
    secrets = [system.environ[name] for name in ("FAL_KEY", "FALHOOK_SECRET", "REDIS_URL")]
    token = re.compile(r"/webhooks/fal/[^/]+/\d+\.")
    leaks = [
        line
        for line in lines
        if any(secret in line for secret in [*secrets, "A fox"]) or token.search(line)
    ]
    assert ([], True) == (leaks, any("job.moved" in line for line in lines))


def test_any_celery_client_can_create_a_job(system: System) -> None:
    """A message from another codebase creates a job, and only one if it is sent twice."""
    client = Celery(broker=system.environ["REDIS_URL"])
    message = {"job_id": "other-1", "endpoint": TEXT, "arguments": {"prompt": "A fox"}}
    for _ in range(2):
        client.send_task("falhook.create", kwargs=message, queue="submit")
    refused = {"job_id": "other-2", "endpoint": TEXT, "arguments": {"promt": "A fox"}}
    client.send_task("falhook.create", kwargs=refused, queue="submit")
    more = {**message, "job_id": "other-3", "notify_url": "https://app.example.com/done"}
    client.send_task("falhook.create", kwargs=more, queue="submit")
    until(lambda: len(_known(system, "other-1", "other-2", "other-3")) == 3)
    first, second, third = system.ended("other-1", "other-2", "other-3")
    assert ("PUBLISHED", [(1, 0, 0)]) == (first["state"], system.requests(first))
    assert ("FAILED", "invalid_arguments", True) == (
        second["state"],
        second["reason"],
        "prompt" in str(second["sentence"]),
    )
    assert ("FAILED", True) == (third["state"], "notify_url" in str(third["sentence"]))


def test_a_message_that_comes_again_is_paid_once(system: System) -> None:
    """A message without a job id uses its task id; a refused one can be sent again, corrected."""
    client = Celery(broker=system.environ["REDIS_URL"])
    task_id = "0d0f6a55-3f0e-4b7e-8d6c-6a5b2f7c9e11"
    message = {"endpoint": TEXT, "arguments": {"prompt": "A fox"}}
    for _ in range(3):
        client.send_task("falhook.create", kwargs=message, queue="submit", task_id=task_id)
    wrong = {**message, "job_id": "other-4", "arguments": {"promt": "A fox"}}
    client.send_task("falhook.create", kwargs=wrong, queue="submit")
    until(lambda: len(_known(system, task_id, "other-4")) == 2)
    client.send_task("falhook.create", kwargs={**message, "job_id": "other-4"}, queue="submit")
    until(lambda: _state(system, "other-4") != "FAILED")
    jobs = system.ended(task_id, "other-4")
    assert ["PUBLISHED"] * 2 == [job["state"] for job in jobs]
    assert [(1, 0, 0)] * 2 == system.requests(*jobs)


def _state(system: System, job_id: str) -> object:
    [job] = system.falhook("show", job_id)
    return job["state"]


def _known(system: System, *job_ids: str) -> list[str]:
    listed = {str(job["id"]) for job in system.falhook("list")}
    return [job_id for job_id in job_ids if job_id in listed]


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Poll until `condition()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true after {seconds} s"


def test_killed_processes_lose_and_repeat_nothing(system: System) -> None:
    """Each job is posted and published once, even if the workers, the receiver and Redis are
    killed in between.
    """
    job_ids = [system.submit("render=2") for _ in range(4)]
    for word in ("-Q submit", "-Q callbacks", "-Q media", "-Q publish", "webhook", "-server"):
        system.program(word).kill()
    until(system.ready)
    job_ids += [system.submit() for _ in range(2)]
    jobs = system.ended(*job_ids)
    assert ["PUBLISHED"] * 6 == [job["state"] for job in jobs]
    assert [(1, 0, 0)] * 6 == system.requests(*jobs)
    assert [FILES] * 6 == [system.published(job_id) for job_id in job_ids]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(tmp_path: Path, how: signal.Signals) -> None:
    """None of its processes outlives the stack, even after SIGKILL."""
    with stack(tmp_path / "local") as running:
        children = psutil.Process(running.process.pid).children(recursive=True)
        running.process.send_signal(how)
        running.process.wait(30)
        _, alive = psutil.wait_procs(children, timeout=15)
    assert [] == [child.cmdline() for child in alive]
