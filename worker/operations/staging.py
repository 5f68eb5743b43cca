"""Local files and data URIs among the inputs: checked, then kept in storage for the submit step.

The process that makes a job and the one that submits it may be different machines, so the bytes
go into storage under uploads/{sha256}.{ending}, and the job's input becomes
upload://{sha256}.{ending}. What is too large, of a wrong type or unreadable is refused before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from worker.catalogue.errors import InputProblem, shown
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.validation.paths import path as place
from worker.formats.media_types import HEAD_BYTES, guessed
from worker.operations.file_references import UNKNOWN, file_input, is_embedded, is_local
from worker.operations.local_file import UnusableFile, checked_name, embedded, path_of, read
from worker.operations.staged_files import LocalFile, StagedFiles
from worker.storage import Storage
from worker.storage.layout import storage_key
from worker.text import printable

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """Reads local files below `directory`, to which relative paths belong; None allows none.

    `storage` makes the storage when the first file has to be put there.
    """

    storage: Callable[[], Storage]
    directory: Path | None
    # The command line reads whatever its user may read.
    anywhere: bool = False

    def stage(self, inputs: tuple[Input, ...] | None, given: Mapping[str, object]) -> StagedFiles:
        """The arguments with upload:// in place of files; None for inputs that nobody knows.

        Nothing is written: see `put`. A file that cannot be used is told among the problems and
        replaced as well, so that the catalogue does not tell of it once more.
        """
        staged = StagedFiles(arguments={})
        members = None if inputs is None else {item.name: item for item in inputs}
        try:
            staged.arguments.update(self._members(staged, members, given, ()))
        except RecursionError:
            staged.problems.append(
                InputProblem(path="arguments", value="", message="nest too deeply")
            )
        return staged

    def put(self, staged: StagedFiles) -> None:
        """Every file is whole in storage. Raises Permanent("input_changed") for a changed file."""
        for name, file in staged.files.items():
            storage, key = self.storage(), storage_key(name)
            data = file.bytes_of(name)
            if storage.size(key) != len(data):
                storage.put(key, data, content_type=guessed(data[:HEAD_BYTES]).name)

    def _members(
        self,
        staged: StagedFiles,
        members: Mapping[str, Input] | None,
        given: Mapping[str, object],
        above: Loc,
    ) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in given.items():
            item = UNKNOWN if members is None else members.get(str(name))
            # One value in place of a list is a mistake, to be told as it was given.
            if item is None or (item.many and isinstance(value, str)):
                found[name] = value
            else:
                found[name] = self._value(staged, item, value, (*above, str(name)))
        return found

    def _value(self, staged: StagedFiles, item: Input, value: object, loc: Loc) -> object:
        match value:
            case str():
                name = next(str(step) for step in reversed(loc) if isinstance(step, str))
                taker = file_input(item, name)
                return value if taker is None else self._text(staged, taker, value, place(loc))
            case list():
                return [self._value(staged, item, one, (*loc, at)) for at, one in enumerate(value)]
            case Mapping():
                members = {one.name: one for one in item.nested}
                anything = item is UNKNOWN or item.kind is InputType.ANY
                return self._members(staged, None if anything else members, value, loc)
        return value

    def _text(self, staged: StagedFiles, item: Input, value: str, path: str) -> str:
        inside = is_embedded(item, value)
        if not inside and not is_local(item, value, typed=self.anywhere):
            return value
        told = "" if inside else shown(value)
        try:
            bytes_of = _embedded(item, value) if inside else self._local(item, value)
            name = checked_name(item, bytes_of())
        except UnusableFile as unusable:
            staged.problems.append(InputProblem(path=path, value=told, message=str(unusable)))
            return f"upload://{'0' * 64}.none"
        staged.files[name] = LocalFile(path=path, value=told, read=bytes_of)
        return f"upload://{name}"

    def _local(self, item: Input, value: str) -> Callable[[], bytes]:
        if self.directory is None:
            raise UnusableFile("must be a URL: FALHOOK_INPUT_DIRECTORY names no directory of files")
        try:
            path = (self.directory / path_of(value)).resolve()
        except (OSError, RuntimeError) as error:
            # Python 3.11 and 3.12 raise RuntimeError for links in a circle and an unknown ~user.
            raise UnusableFile(f"cannot be read: {printable(str(error).rstrip('.'))}") from None
        if not self.anywhere and not path.is_relative_to(self.directory.resolve()):
            raise UnusableFile(f"must lie below FALHOOK_INPUT_DIRECTORY={self.directory}")
        return partial(read, path, item)


def _embedded(item: Input, value: str) -> Callable[[], bytes]:
    data = embedded(item, value)
    return lambda: data
