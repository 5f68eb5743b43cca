"""Arguments whose local files were checked, and the files themselves, read again when needed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from worker.catalogue.errors import InputProblem, RequestRejected
from worker.operations.local_file import UnusableFile, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A file that stands behind the argument at `path`, where it was named `value`.

    It is read again when it is put, so that many staged jobs do not hold their files in memory.
    """

    path: str
    value: str
    read: Callable[[], bytes]

    def bytes_of(self, name: str) -> bytes:
        """The bytes, still those of that name. Raises Refusal("input_changed")."""
        try:
            data = self.read()
        except UnusableFile as unusable:
            raise self._changed(f"{unusable}, although it could be a moment ago") from unusable
        if name_of(data) != name:
            raise self._changed("changed while its job was made; make the job once more")
        return data

    def _changed(self, message: str) -> RequestRejected:
        problem = InputProblem(path=self.path, value=self.value, message=message)
        return RequestRejected("input_changed", str(problem))


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedFiles:
    """Arguments without local references, the files that stand behind them, and what is wrong.

    `files` maps the name under uploads/ to the file of that content.
    """

    arguments: dict[str, object]
    files: dict[str, LocalFile] = field(default_factory=dict)
    problems: list[InputProblem] = field(default_factory=list)
