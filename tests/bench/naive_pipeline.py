"""The pipeline that fal's and Celery's documents lead to, as the rival of falhook's.

`celery -A tests.bench.naive_pipeline worker` runs its tasks, `python -m tests.bench.naive_pipeline`
its receiver, in FastAPI. It loses what a killed process held, submits again what was accepted, and
publishes files that are not clips; only its cost is compared.

https://docs.fal.ai/documentation/model-apis/inference/webhooks
https://docs.celeryq.dev/en/stable/getting-started/first-steps-with-celery.html
"""

import importlib
import os
import shutil
import subprocess
import time
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import fal_client
import httpx
import imageio_ffmpeg
import uvicorn
from celery import Celery
from nacl.signing import VerifyKey
from redis import Redis
from starlette.requests import Request

from tests.bench.rivals import verified

ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"
# Job → Unix time of its publication, in the Redis of the broker.
PUBLISHED = "naive:published"

BROKER = os.environ.get("BENCH_BROKER", "")
app = Celery("naive", broker=BROKER)
app.conf.task_ignore_result = True


@app.task(name="naive.submit")
def submit(job_id: str, prompt: str) -> None:
    address = f"{os.environ['BENCH_URL']}/webhooks/{job_id}"
    fal_client.submit(ENDPOINT, arguments={"prompt": prompt}, webhook_url=address)


@app.task(name="naive.download")
def download(job_id: str, url: str) -> None:
    directory = Path(os.environ["BENCH_WORK"], job_id)
    directory.mkdir(exist_ok=True)
    with httpx.stream("GET", url, follow_redirects=True) as response:
        response.raise_for_status()
        with (directory / "source.mp4").open("wb") as file:
            for chunk in response.iter_bytes():
                file.write(chunk)
    process.delay(job_id)


@app.task(name="naive.process")
def process(job_id: str) -> None:
    """Copy the streams with tags and an index at the start, and take a poster at one second."""
    directory = Path(os.environ["BENCH_WORK"], job_id)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y"]
    command += ["-i", "source.mp4", "-map", "0", "-c", "copy", "-movflags", "+faststart"]
    command += ["-metadata", f"title={job_id}", "clip.mp4", "-ss", "1", "-frames:v", "1"]
    subprocess.run([*command, "poster.jpg"], cwd=directory, check=True)
    upload.delay(job_id)


@app.task(name="naive.upload")
def upload(job_id: str) -> None:
    directory, target = (Path(os.environ[name], job_id) for name in ("BENCH_WORK", "BENCH_STORAGE"))
    target.mkdir(exist_ok=True)
    for name in ("clip.mp4", "poster.jpg"):
        shutil.copyfile(directory / name, target / name)
    shutil.rmtree(directory)
    with Redis.from_url(BROKER) as redis:
        redis.hset(PUBLISHED, job_id, time.time())


def receiver() -> Any:
    """Return the FastAPI application that verifies a callback and sends the first task."""
    fastapi: Any = importlib.import_module("fastapi")
    keys = httpx.get(os.environ["FALHOOK_JWKS_URL"]).json()["keys"]
    key = VerifyKey(urlsafe_b64decode(keys[0]["x"] + "=="))
    web = fastapi.FastAPI()

    @web.post("/webhooks/{job_id}")  # type: ignore[untyped-decorator]
    async def callback(job_id: str, request: Request) -> dict[str, str]:
        if not verified(request.headers, await request.body(), key):
            raise fastapi.HTTPException(401)
        download.delay(job_id, (await request.json())["payload"]["video"]["url"])
        return {"outcome": "accepted"}

    return web


if __name__ == "__main__":
    uvicorn.run(
        receiver(),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        access_log=False,
        log_level="warning",
    )
