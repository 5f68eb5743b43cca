"""Arguments with upload:// references, and the local files that these stand for."""

from collections.abc import Callable
from dataclasses import dataclass, field

from worker.catalogue.errors import InputProblem, RequestRejected
from worker.operations.local_file import UnusableFile, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """The file of the argument at `path`, whose text was `value`.

    It is read again when it is stored, so that many staged jobs do not keep files in memory.
    """

    path: str
    value: str
    read: Callable[[], bytes]

    def bytes_of(self, name: str) -> bytes:
        """Return the bytes if `name` is still theirs, or raise RequestRejected("input_changed")."""
        try:
            data = self.read()
        except UnusableFile as unusable:
            raise self._changed(f"{unusable}; it was usable a moment ago") from unusable
        if name_of(data) != name:
            raise self._changed("changed while its job was created; submit the job again")
        return data

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
