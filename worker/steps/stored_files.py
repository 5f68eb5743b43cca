"""Files of a result in storage, each under a name and a type that its bytes decide."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count

from worker.errors import Permanent, Transient
from worker.fal.download import Downloaded, Downloader, Expected
from worker.fal.result import OTHER, ResultFile, family_of
from worker.formats import data_uri
from worker.formats.media_types import VIDEO_HEAD_BYTES, MediaType
from worker.storage import Storage
from worker.types import Json

Progress = Callable[[int, int | None], None]
Write = Callable[[Iterator[bytes]], object]
# Seconds until a file that the CDN does not have yet is asked for again.
_NEXT_LOOK = 10.0
_NOT_YET = frozenset({"download_gone", "download_not_media"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One stored file: its published name, and its record for the manifest."""

    name: str
    record: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStore:
    """Takes the files of results, by download or out of a data URI, to storage.

    A `patient` one waits for what the CDN does not have: soon after the render it may come.
    """

    downloader: Downloader
    storage: Storage
    patient: bool = False

    def keep(
        self,
        file: ResultFile,
        guess: str,
        taken: Collection[str],
        *,
        key: Callable[[str], str],
        progress: Progress,
    ) -> StoredFile:
        """Store the file under `key(name)`; `guess` is its name if its type is the likely one.

        `taken` are names of other files. Raises the failures of `Downloader.fetch`, and
        Permanent("bad_data_uri").
        """
        name, media = guess, file.media

        def write(chunks: Iterator[bytes]) -> None:
            nonlocal name, media
            head, chunks = _peeked(chunks)
            media = file.declared.settle(head)
            name = guess if media == file.media else free_name(media, taken)
            self.storage.put(key(name), chunks, content_type=media.name)

        expect: Expected | None = "file" if file.media is not OTHER else None
        done = self.fetch(file, write, progress, expect=expect)
        return StoredFile(name=name, record=_record(file, done, media))

    def fetch(
        self,
        file: ResultFile,
        write: Write,
        progress: Progress,
        *,
        expect: Expected | None,
    ) -> Downloaded:
        """Pass the bytes of the file to `write`, as `Downloader.fetch` does."""
        if not file.embedded:
            return self._download(file, write, progress, expect)
        # https://fal.ai/docs : with sync_mode a result holds data URIs.
        try:
            data = data_uri.decode(file.address.strip())
        except ValueError:
            sentence = f"{file.path} holds a data URI that is not base64"
            raise Permanent("bad_data_uri", sentence) from None
        write(iter([data]))
        digest = hashlib.sha256(data).hexdigest()
        return Downloaded(size=len(data), sha256=digest, content_type=None, resumed=0)

    def _download(
        self, file: ResultFile, write: Write, progress: Progress, expect: Expected | None
    ) -> Downloaded:
        try:
            return self.downloader.fetch(file.address, write, expect=expect, progress=progress)
        except Permanent as failure:
            if self.patient and failure.reason in _NOT_YET:
                raise Transient(failure.reason, failure.sentence, after=_NEXT_LOOK) from failure
            raise


def free_name(media: MediaType, taken: Collection[str]) -> str:
    """Return the first name for a file of this type that no other file has, whatever its ending."""
    family, stems = family_of(media), {name.partition(".")[0] for name in taken}
    stem = next(stem for number in count(1) if (stem := f"{family}-{number}") not in stems)
    return f"{stem}.{media.extension}"


def _record(file: ResultFile, done: Downloaded, media: MediaType) -> dict[str, Json]:
    record: dict[str, Json] = {
        "bytes": done.size,
        "sha256": done.sha256,
        "content_type": media.name,
        "output": file.path,
    }
    if declared := file.declared.record():
        record["declared"] = dict(declared)
    return record


def _peeked(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first VIDEO_HEAD_BYTES of a stream, and the whole stream."""
    first: list[bytes] = []
    for chunk in chunks:
        first.append(chunk)
        if sum(map(len, first)) >= VIDEO_HEAD_BYTES:
            break
    rest: Iterable[bytes] = chunks
    return b"".join(first)[:VIDEO_HEAD_BYTES], chain(first, rest)
