"""The tools of a worker process, built once from its settings."""

from dataclasses import dataclass

from celery import Celery
from redis import Redis

from webhook.contract import Task
from worker.broker.client import send, waker
from worker.catalogue.catalogue import Catalogue
from worker.fal.cdn import Cdn
from worker.fal.client import FalClient
from worker.fal.download import AllowedHosts, Downloader, http_client
from worker.jobs.leases import Leases
from worker.jobs.step import Step
from worker.jobs.store import JobStore, connect
from worker.operations.create import JobCreator
from worker.operations.create_message import Intake
from worker.operations.create_task import CreateTask
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.pipeline import Pipeline
from worker.settings import Settings
from worker.startup import found_ffmpeg
from worker.steps.inbox import InboxReader
from worker.steps.ingest import Ingest
from worker.steps.lookup import LookUp
from worker.steps.media_config import MediaConfig
from worker.steps.progress import Progress
from worker.steps.publish import Publish
from worker.steps.submit import Submit
from worker.steps.sweep import Sweep
from worker.steps.transcode_tag import Download, TranscodeTag
from worker.steps.uploads import InputUploads
from worker.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """What the tasks are made of."""

    pipeline: Pipeline
    ingest: Ingest
    sweep: Sweep
    create: CreateTask


def compose(settings: Settings, app: Celery, storage: Storage) -> Components:
    """The tools of one process; connections are made when they are first used."""
    records = JobStore(connect(settings.redis_url))
    inbox = InboxReader(
        Redis.from_url(
            settings.redis_url,
            socket_timeout=5,
            socket_connect_timeout=2,
            health_check_interval=5,
        )
    )
    fal = FalClient(settings.fal_key.get_secret_value())
    wake = waker(app)
    steps = _steps(settings, records, fal, storage)
    pipeline = Pipeline(records, steps, wake, leases=Leases(records))
    deadline = settings.callback_deadline
    checks = Validator(
        catalogue=Catalogue.load(settings.catalogue),
        staging=Staging(storage=lambda: storage, directory=settings.input_directory),
    )
    return Components(
        pipeline=pipeline,
        ingest=Ingest(
            pipeline=pipeline,
            inbox=inbox,
            look_up=LookUp(pipeline=pipeline, fal=fal, deadline=deadline),
        ),
        sweep=Sweep(
            pipeline=pipeline,
            inbox=inbox,
            wake_ingest=lambda job_ids: send(app, Task.INGEST, list(job_ids)),
            deadline=deadline,
        ),
        create=CreateTask(
            intake=Intake(creator=JobCreator(records=records, checks=checks, wake=wake))
        ),
    )


def _steps(
    settings: Settings, records: JobStore, fal: FalClient, storage: Storage
) -> tuple[Step, ...]:
    progress = Progress(records)
    uploads = InputUploads(
        cdn=Cdn(settings.fal_key.get_secret_value(), rest_host=settings.fal_rest_host),
        redis=records.redis,
        storage=storage,
        lifetime=settings.upload_lifetime,
    )
    submit = Submit(
        fal=fal,
        addressed=uploads.addressed,
        records=records,
        public_url=settings.public_url,
        secret=settings.secrets[0],
        deadline=settings.callback_deadline,
    )
    downloader = Downloader(
        hosts=AllowedHosts.parse(settings.download_hosts),
        max_bytes=settings.download_max_bytes,
        client=http_client(),
    )
    ffmpeg = found_ffmpeg(settings.ffmpeg, settings)
    return (
        submit.step(),
        Download(downloader=downloader, storage=storage, progress=progress).step(),
        TranscodeTag(
            storage=storage,
            ffmpeg=ffmpeg,
            progress=progress,
            delivering=MediaConfig.of(settings),
        ).step(),
        Publish(storage=storage, records=records).step(),
    )
