"""The components of one worker process, built once from its settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from celery import Celery

from webhook.contract import Task
from worker.broker.client import waker
from worker.broker.queue_length import queue_lengths
from worker.catalogue.catalogue import Catalogue
from worker.fal.cdn import Cdn
from worker.fal.client import FalClient
from worker.fal.download import AllowedHosts, Downloader, DownloadLimits, http_client
from worker.formats.marks import Marks
from worker.jobs.leases import Leases
from worker.jobs.store import JobStore, connect
from worker.jobs.transitions import Transitions
from worker.notifications.composition import Notifications
from worker.notifications.notifier import Notifier
from worker.notifications.outbox import Bell
from worker.notifications.routes import KnownRoutes
from worker.notifications.target import TargetRules
from worker.operations.create import JobCreator
from worker.operations.create_message import Intake
from worker.operations.create_task import CreateTask
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.pipeline import NEXT_TASK, Pipeline, Rescue, Work
from worker.redis_age import RedisAge
from worker.retention.archive import Archive
from worker.retention.periods import RetentionPeriods
from worker.retention.retention import Retention
from worker.settings.media import MediaSettings
from worker.settings.settings import Settings
from worker.startup import find_ffmpeg, load_signer
from worker.steps.download import Download
from worker.steps.inbox import InboxReader
from worker.steps.ingest import Ingest
from worker.steps.lookup import LookUp
from worker.steps.media_config import MediaConfig
from worker.steps.progress import Progress
from worker.steps.publish import Publish
from worker.steps.submit import Submit
from worker.steps.sweep import Sweep
from worker.steps.transcode_tag import TranscodeTag
from worker.steps.uploads import InputUploads
from worker.storage import Storage
from worker.traces.tracer import open_tracer
from worker.transcode.loudness_target import LoudnessTarget
from worker.transcode.poster import PosterTime
from worker.transcode.profiles import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """What the Celery tasks call."""

    pipeline: Pipeline
    ingest: Ingest
    sweep: Sweep
    create: CreateTask
    retention: Retention
    notifier: Notifier


def compose(
    settings: Settings,
    app: Celery,
    storage: Storage,
    go_on: Callable[[], object] = lambda: None,
) -> Components:
    """Return the components of one process; connections are opened when they are first used.

    `go_on` is called now and then by work that has no end.
    """
    redis = connect(settings.redis_url)
    wake = waker(app)
    store = JobStore(redis, owed=Bell(redis, wake))
    inbox = InboxReader(connect(settings.redis_url, decode_responses=False))
    fal = FalClient(settings.fal_key.get_secret_value())
    tracer = open_tracer(settings.traces_url, store.get)
    ended = tracer.ended if tracer else _untraced
    transitions = Transitions(store, NEXT_TASK, wake, ended)
    deadline = settings.callback_deadline
    validator = Validator(
        catalogue=Catalogue.load(settings.catalogue),
        staging=Staging(storage=lambda: storage, directory=settings.input_directory),
        targets=TargetRules.of(settings),
    )
    work, rescues = _steps(settings, store, fal, storage)
    archive = Archive(redis=store.redis, storage=lambda: storage)
    notifications = Notifications(
        redis=redis,
        settings=settings,
        store=store,
        archived=archive.get,
        storage=lambda: storage,
        told=tracer.told if tracer else _untraced,
    )
    return Components(
        pipeline=Pipeline(
            store=store,
            transitions=transitions,
            leases=Leases(store),
            work=work,
            rescues=rescues,
        ),
        ingest=Ingest(
            store=store,
            transitions=transitions,
            inbox=inbox,
            lookup=LookUp(store=store, transitions=transitions, fal=fal, deadline=deadline),
        ),
        sweep=Sweep(
            store=store,
            transitions=transitions,
            inbox=inbox,
            wake_ingest=lambda job_ids: wake(Task.INGEST, list(job_ids)),
            deadline=deadline,
            queue_length=queue_lengths(app),
            notify_overdue=notifications.overdue(wake).run,
            note_age=RedisAge(redis=redis, storage=storage, clock=store.clock).note,
        ),
        create=CreateTask(
            intake=Intake(
                creator=JobCreator(
                    store=store,
                    validator=validator,
                    wake=wake,
                    event_metadata=settings.event_metadata_names,
                    archived=archive.get,
                    routes=KnownRoutes(redis).now,
                    traces=bool(settings.traces_url),
                ),
            ),
        ),
        retention=Retention(
            redis=store.redis,
            archive=archive,
            periods=RetentionPeriods.parse(settings.retention),
        ),
        notifier=notifications.notifier(go_on),
    )


def _untraced(*_: object) -> None:
    """Send no trace."""


def _steps(
    settings: Settings, store: JobStore, fal: FalClient, storage: Storage
) -> tuple[Mapping[Task, Work], Mapping[Task, Rescue]]:
    """Return the work of each step, and the rescues of those that have one."""
    progress = Progress(store)
    uploads = InputUploads(
        cdn=Cdn(settings.fal_key.get_secret_value(), rest_host=settings.fal_rest_host),
        redis=store.redis,
        storage=storage,
        lifetime=settings.upload_lifetime,
    )
    submit = Submit(
        fal=fal,
        addressed=uploads.addressed,
        store=store,
        public_url=settings.public_url,
        secret=settings.secrets[0],
        deadline=settings.callback_deadline,
    )
    downloader = Downloader(
        hosts=AllowedHosts.parse(settings.download_hosts),
        client=http_client(),
        limits=DownloadLimits(max_bytes=settings.download_max_bytes),
    )
    transcode_tag = TranscodeTag(
        storage=storage,
        ffmpeg=find_ffmpeg(settings.ffmpeg, settings),
        progress=progress,
        config=media_config(settings),
    )
    work: Mapping[Task, Work] = {
        Task.SUBMIT: submit.work,
        Task.DOWNLOAD: Download(downloader=downloader, storage=storage, progress=progress).work,
        Task.TRANSCODE_TAG: transcode_tag.work,
        Task.PUBLISH: Publish(storage=storage, store=store).work,
    }
    return work, {Task.TRANSCODE_TAG: transcode_tag.rescue}


def media_config(settings: MediaSettings) -> MediaConfig:
    """Return how the transcode_tag step publishes media. Raises ProvenanceUnusable."""
    return MediaConfig(
        profile=Profile.parse(settings.profile),
        poster=PosterTime.parse(settings.poster_at),
        loudness=LoudnessTarget.parse(settings.loudness),
        marks=Marks.parse(settings.marks, settings.aigc_provider),
        prompt_tag=settings.prompt_tag,
        job_tag=settings.job_tag,
        signer=load_signer(settings),
    )
