"""Outputs published without transcoding: images, audio, other files and plain values."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from worker.errors import Permanent
from worker.fal.download import Downloader
from worker.fal.result import ResultFile, by_published_name, files_of, links_of, video_of
from worker.formats.declared_types import Declared
from worker.formats.media_types import VIDEO_HEAD_BYTES
from worker.jobs.change import Outcome
from worker.jobs.job import Job, JobState
from worker.steps.stored_files import FileStore, Progress, free_name
from worker.storage import Storage, file_record
from worker.storage.layout import work_key
from worker.types import Json

METHOD = "as_is"
RESULT = "result"  # the method of a result without any file
MOST_FILES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Passthrough:
    """Stores fal's files of any kind; those that cannot be had are named with the reason.

    `allows` says whether a URL may be downloaded; another one is a link, part of the result's data.
    A `patient` one waits for files that the CDN does not have.
    """

    downloader: Downloader
    storage: Storage
    allows: Callable[[str], bool] = field(default=lambda _address: True)
    patient: bool = False

    @property
    def store(self) -> FileStore:
        """The store that takes the files."""
        return FileStore(downloader=self.downloader, storage=self.storage, patient=self.patient)

    def files(self, job: Job) -> tuple[ResultFile, ...]:
        """Return the files of the job's result."""
        return files_of(job.payload, allows=self.allows, sent=frozenset(_texts(job.arguments)))

    def download(self, job: Job, progress: Progress) -> Outcome:
        """Return DOWNLOADED once every file that can be had is complete in storage.

        Raises Transient, and Permanent if the result has files and none of them can be had.
        """
        files = self.files(job)
        failures: list[Permanent] = []
        source = self._stored(job, files, progress, failures)
        if not source["files"]:
            self._require_rest(job, files, failures)
        event = {"files": str(len(source["files"])), "skipped": str(len(source["skipped"]))}
        records: dict[str, Json] = {"files": source["files"]}
        if source["skipped"]:
            records["skipped"] = source["skipped"]
        return Outcome(to=JobState.DOWNLOADED, set={"source": records}, event=event)

    def download_extras(self, job: Job, video: str, progress: Progress) -> dict[str, Json]:
        """Store the files that the result contains next to its video; return their records.

        `files` are stored. `skipped` lists the files that cannot be downloaded, with the reason:
        the video is what was paid for. Raises only Transient.
        """
        others = tuple(file for file in self.files(job) if file.address != video)
        records: dict[str, Json] = {**self._stored(job, others, progress, [])}
        return {name: value for name, value in records.items() if value}

    def _stored(
        self,
        job: Job,
        files: tuple[ResultFile, ...],
        progress: Progress,
        failures: list[Permanent],
    ) -> dict[str, dict[str, Json]]:
        """Return the records of the files that were stored, and of those that were not."""
        guesses = by_published_name(files)
        stored: dict[str, Json] = {}
        skipped: dict[str, Json] = {}
        for number, (guess, file) in enumerate(guesses.items(), start=1):
            try:
                if number > MOST_FILES:
                    sentence = f"the result holds {len(files)} files; {MOST_FILES} are published"
                    raise Permanent("too_many_files", sentence)  # noqa: TRY301
                kept = self.store.keep(
                    file,
                    guess,
                    {*guesses, *stored} - {guess},
                    key=lambda name: work_key(job.id, name),
                    progress=progress,
                )
            except Permanent as failure:
                failures.append(failure)
                skipped[guess] = {"output": file.path, "reason": failure.reason}
            else:
                stored[kept.name] = kept.record
        for link in links_of(job.payload, allows=self.allows):
            name = free_name(link.media, {*guesses, *stored, *skipped})
            skipped[name] = {"output": link.path, "reason": "download_refused"}
        return {"files": stored, "skipped": skipped}

    def _require_rest(
        self, job: Job, files: tuple[ResultFile, ...], failures: list[Permanent]
    ) -> None:
        """Return if the result has something to publish beside its files; raise Permanent if not.

        Only text counts, and not what the model repeats of its inputs.
        """
        addresses = {file.address for file in files_of(job.payload)}
        if not files and not (job.needs_file and addresses):
            return
        known = addresses | set(_texts(job.arguments))
        if not job.needs_file and any(
            text.strip() and text not in known for text in _texts(_without_files(job.payload))
        ):
            return
        if failures:
            raise failures[0]
        raise _refused(self.downloader, job)


def _refused(downloader: Downloader, job: Job) -> Permanent:
    """Return why no link of the result can be downloaded."""
    for file in files_of(job.payload):
        try:
            downloader.hosts.check(file.address)
        except Permanent as failure:
            return failure
    return Permanent("no_video", "fal's result has no video or other file with a URL")


def result_without_files(job: Job) -> dict[str, Json]:
    """Return what fal's result says beside its files and the texts that the job sent: a seed."""
    sent = {*_texts(job.arguments), *(file.address for file in files_of(job.payload))}
    rest = _without(sent, _without_files(job.payload))
    return rest if isinstance(rest, dict) else {}


def _without(texts: Collection[str], value: Json) -> Json:
    """Return the value without these texts and what is empty then."""
    match value:
        case str():
            return None if value in texts else value
        case dict():
            members = {name: _without(texts, each) for name, each in value.items()}
            return {name: each for name, each in members.items() if each is not None} or None
        case list():
            items = [_without(texts, each) for each in value]
            return [each for each in items if each is not None] or None
    return value


def _without_files(payload: Json) -> Json:
    match payload:
        case {"url": str()}:
            return None
        case dict():
            return {name: _without_files(value) for name, value in payload.items()}
        case list():
            return [_without_files(value) for value in payload]
    return payload


def _texts(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str(text):
                yield text
            case dict(members):
                waiting += members.values()
            case list(items):
                waiting += items


def store_source(storage: Storage, job: Job, source: Path) -> dict[str, Json]:
    """Store a source that is published unchanged; return its record, by name."""
    files = files_of(job.payload)
    path = job.source.get("output")
    video = next((file for file in files if file.path == path), video_of(files))
    with source.open("rb") as file:
        head = file.read(VIDEO_HEAD_BYTES)
    media = video.declared.settle(head) if video else Declared().settle(head)
    name = free_name(media, extra_files(job))
    storage.put(work_key(job.id, name), source, content_type=media.name)
    record: dict[str, Json] = {
        **file_record(source),
        "content_type": media.name,
        "output": video.path if video else "",
    }
    if video and (declared := video.declared.record()):
        record["declared"] = dict(declared)
    return {name: record}


def unchanged_outputs(job: Job) -> dict[str, Json] | None:
    """Return the job's outputs: its files unchanged, or the result itself if it has no file.

    None for a job whose source is a video.
    """
    files = job.source.get("files")
    if "sha256" in job.source or not isinstance(files, dict):
        return None
    method = METHOD if files else RESULT
    outputs: dict[str, Json] = {"method": method, "files": files}
    if not files:
        outputs["result"] = job.payload
    return outputs


def extra_files(job: Job) -> dict[str, Json]:
    """Return the records of the files that are published next to the job's video, by name."""
    files = job.source.get("files")
    return files if isinstance(files, dict) else {}
