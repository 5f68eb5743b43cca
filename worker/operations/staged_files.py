"""Arguments with upload:// references, and the local files that these stand for."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import BinaryIO

from worker.catalogue.errors import InputProblem, RequestRejected
from worker.operations.local_file import UnusableFile, chunks, head_of, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """The file of the argument at `path`, whose text was `value`.

    It is opened again when it is stored, so that many staged jobs keep no files open.
    """

    path: str
    value: str
    open: Callable[[], AbstractContextManager[BinaryIO]]

    def size(self) -> int:
        """Return its bytes. Raises RequestRejected("input_changed") if it cannot be read."""
        try:
            with self.open() as file:
                return file.seek(0, os.SEEK_END)
        except UnusableFile as unusable:
            raise self._unusable(unusable) from unusable

    def content(self, name: str) -> Iterator[bytes]:
        """Yield its bytes; `name` follows from them.

        Else RequestRejected("input_changed") is raised, at the latest after all of them.
        """
        digest = hashlib.sha256()
        try:
            with self.open() as file:
                head = head_of(file)
                file.seek(0)
                for chunk in chunks(file):
                    digest.update(chunk)
                    yield chunk
        except UnusableFile as unusable:
            raise self._unusable(unusable) from unusable
        if name_of(digest.hexdigest(), head) != name:
            raise self._changed("changed while its job was created; submit the job again")

    def _unusable(self, unusable: UnusableFile) -> RequestRejected:
        return self._changed(f"{unusable}; it was usable a moment ago")

    def _changed(self, message: str) -> RequestRejected:
        problem = InputProblem(path=self.path, value=self.value, message=message)
        return RequestRejected("input_changed", str(problem))


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedFiles:
    """Arguments without local references, their files, and the problems of unusable files.

    `files` maps the name under uploads/ to the file with that content.
    """

    arguments: dict[str, object]
    files: dict[str, LocalFile] = field(default_factory=dict)
    problems: list[InputProblem] = field(default_factory=list)
