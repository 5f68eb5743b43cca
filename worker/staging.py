"""Local files and data URIs among the inputs: checked, then kept in storage for the submit step.

The process that makes a job and the one that submits it may be different machines, so the bytes
go into storage under uploads/{sha256}.{ending}, and the job's input becomes
upload://{sha256}.{ending}. What is too large, of a wrong type or unreadable is refused before.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from worker.catalogue.errors import Problem, shown
from worker.catalogue.inputs import MAX_MEGABYTES, Input, Kind
from worker.catalogue.problems import path as place
from worker.catalogue.strings import STAGED
from worker.catalogue.typed import is_words
from worker.local_file import Unusable, checked_name, embedded, path_of, read
from worker.media_type import BY_EXTENSION
from worker.staged import Local, Staged
from worker.storage import Storage

# Whatever no schema describes: any file, of at most so many bytes.
UNKNOWN = Input(name="file", kind=Kind.URL)
_MEDIA = frozenset(MAX_MEGABYTES)

Loc = tuple[str | int, ...]

_DATA = re.compile(r"data:", re.IGNORECASE)
_FILE = re.compile(r"file:\S", re.IGNORECASE)
# Where nobody knows that an input takes files, it has to look like one: RFC 2397.
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+[;,]", re.IGNORECASE | re.ASCII)


def _of_text(item: Input, name: str) -> Input | None:
    """What a text has to be that stands here; None where it is no file, whatever it looks like."""
    match item.kind:
        case Kind.URL if item is not UNKNOWN:
            return item
        case Kind.STRING if item.choices:
            return None
        case Kind.URL | Kind.STRING | Kind.ANY:
            return None if _is_words(name) else UNKNOWN
    return None


def _is_words(name: str) -> bool:
    # An image_prompt may be words or a picture: what looks like a file is taken for one.
    return is_words(name) and Input(name=name, kind=Kind.ANY).families == _MEDIA


def storage_key(name: str) -> str:
    """Where storage keeps the bytes of `upload://{name}`."""
    return f"uploads/{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """Reads local files below `directory`, to which relative paths belong; None allows none.

    `storage` makes the storage when the first file has to be put there.
    """

    storage: Callable[[], Storage]
    directory: Path | None
    # The command line reads whatever its user may read.
    anywhere: bool = False

    def stage(self, inputs: tuple[Input, ...] | None, given: Mapping[str, object]) -> Staged:
        """The arguments with upload:// in place of files; None for inputs that nobody knows.

        Nothing is written: see `put`. A file that cannot be used is told among the problems and
        replaced as well, so that the catalogue does not tell of it once more.
        """
        staged = Staged(arguments={})
        members = None if inputs is None else {item.name: item for item in inputs}
        try:
            staged.arguments.update(self._members(staged, members, given, ()))
        except RecursionError:
            staged.problems.append(Problem(path="arguments", value="", message="nest too deeply"))
        return staged

    def put(self, staged: Staged) -> None:
        """Every file is whole in storage. Raises Permanent("input_changed") for a changed file."""
        for name, file in staged.files.items():
            storage, key = self.storage(), storage_key(name)
            data = file.bytes_of(name)
            if storage.size(key) != len(data):
                storage.put(key, data, content_type=BY_EXTENSION[name.partition(".")[2]].name)

    def _members(
        self,
        staged: Staged,
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

    def _value(self, staged: Staged, item: Input, value: object, loc: Loc) -> object:
        match value:
            case str():
                name = next(str(step) for step in reversed(loc) if isinstance(step, str))
                taken = _of_text(item, name)
                return value if taken is None else self._text(staged, taken, value, place(loc))
            case list():
                return [self._value(staged, item, one, (*loc, at)) for at, one in enumerate(value)]
            case Mapping():
                members = {one.name: one for one in item.nested}
                anything = item is UNKNOWN or item.kind is Kind.ANY
                return self._members(staged, None if anything else members, value, loc)
        return value

    def _text(self, staged: Staged, item: Input, value: str, path: str) -> str:
        inside = (_DATA_URI if item is UNKNOWN else _DATA).match(value) is not None
        if not inside and not self._is_local(item, value):
            return value
        told = "" if inside else shown(value)
        try:
            bytes_of = _embedded(item, value) if inside else self._local(item, value)
            name = checked_name(item, bytes_of())
        except Unusable as unusable:
            staged.problems.append(Problem(path=path, value=told, message=str(unusable)))
            return f"upload://{'0' * 64}.none"
        staged.files[name] = Local(path=path, value=told, read=bytes_of)
        return f"upload://{name}"

    def _is_local(self, item: Input, value: str) -> bool:
        if _FILE.match(value):
            return True
        # A bare path means a file only where a person typed it for an input that takes files.
        bare = self.anywhere and item is not UNKNOWN
        return bare and "://" not in value and bool(value.strip()) and not STAGED.fullmatch(value)

    def _local(self, item: Input, value: str) -> Callable[[], bytes]:
        if self.directory is None:
            raise Unusable("must be a URL: FALHOOK_INPUT_DIRECTORY names no directory of files")
        try:
            path = (self.directory / path_of(value)).resolve()
        except (OSError, RuntimeError) as error:
            # Python 3.11 and 3.12 raise RuntimeError for links in a circle and an unknown ~user.
            raise Unusable(f"cannot be read: {str(error).rstrip('.')}") from None
        if not self.anywhere and not path.is_relative_to(self.directory.resolve()):
            raise Unusable(f"must lie below FALHOOK_INPUT_DIRECTORY={self.directory}")
        return partial(read, path, item)


def _embedded(item: Input, value: str) -> Callable[[], bytes]:
    data = embedded(item, value)
    return lambda: data
