"""Local files and data URIs among the inputs: checked, then kept in storage for the submit step.

The process that makes a job and the one that submits it may be different machines, so the bytes
go into storage under uploads/{sha256}.{ending}, and the job's input becomes
upload://{sha256}.{ending}. What is too large, of a wrong type or unreadable is refused before.
"""

import base64
import binascii
import hashlib
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from worker.catalogue.errors import Problem, shown
from worker.catalogue.inputs import Input, Kind
from worker.catalogue.strings import STAGED
from worker.failures import Permanent
from worker.media_type import BY_EXTENSION, HEAD_BYTES, formats, sniff
from worker.storage import Storage

# Of an endpoint that the catalogue does not know: any media, of at most so many bytes.
UNKNOWN = Input(name="file", kind=Kind.URL)


def storage_key(name: str) -> str:
    """Where storage keeps the bytes of `upload://{name}`."""
    return f"uploads/{name}"


class _Unusable(Exception):
    """This file cannot become an input; the message completes the path and the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Arguments without local references, the files that stand behind them, and what is wrong.

    `files` maps the name under uploads/ to a read of its bytes, which is made again when it is
    put, so that many staged jobs do not hold their files in memory.
    """

    arguments: dict[str, object]
    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


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
            staged.arguments.update(self._members(staged, members, given, ""))
        except RecursionError:
            staged.problems.append(Problem(path="arguments", value="", message="nest too deeply"))
        return staged

    def put(self, staged: Staged) -> None:
        """Every file is whole in storage. Raises Permanent("input_changed") for a changed file."""
        for name, read in staged.files.items():
            storage, key = self.storage(), storage_key(name)
            data = read()
            if _name(data) != name:
                raise Permanent("input_changed", "a local file changed while its job was made")
            if storage.size(key) != len(data):
                storage.put(key, data, content_type=BY_EXTENSION[name.partition(".")[2]].name)

    def _members(
        self,
        staged: Staged,
        members: Mapping[str, Input] | None,
        given: Mapping[str, object],
        above: str,
    ) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in given.items():
            item = UNKNOWN if members is None else members.get(str(name))
            path = f"{above}{name}"
            found[name] = value if item is None else self._value(staged, item, value, path)
        return found

    def _value(self, staged: Staged, item: Input, value: object, path: str) -> object:
        match value:
            case str() if item is UNKNOWN or item.kind is Kind.URL:
                return self._text(staged, item, value, path)
            case list():
                places = enumerate(value)
                return [self._value(staged, item, one, f"{path}[{at}]") for at, one in places]
            case Mapping():
                members = None if item is UNKNOWN else {one.name: one for one in item.nested}
                return self._members(staged, members, value, f"{path}.")
        return value

    def _text(self, staged: Staged, item: Input, value: str, path: str) -> str:
        embedded = value[:5].lower() == "data:"
        if not embedded and not self._is_local(item, value):
            return value
        try:
            read = self._embedded(item, value) if embedded else self._local(item, value)
            name = _checked(item, read())
        except _Unusable as unusable:
            told = "" if embedded else shown(value)
            staged.problems.append(Problem(path=path, value=told, message=str(unusable)))
            return f"upload://{'0' * 64}.none"
        staged.files[name] = read
        return f"upload://{name}"

    def _is_local(self, item: Input, value: str) -> bool:
        if value[:5].lower() == "file:":
            return True
        # A bare path means a file only where a person typed it for an input that takes files.
        bare = self.anywhere and item is not UNKNOWN
        return bare and "://" not in value and bool(value.strip()) and not STAGED.fullmatch(value)

    def _embedded(self, item: Input, value: str) -> Callable[[], bytes]:
        head, _, body = value.partition(",")
        # Base64 has 4 characters for 3 bytes; percent-encoding at most 3 for one.
        if len(body) > 3 * item.max_bytes:
            raise _Unusable(_too_large(item))
        try:
            if head.lower().endswith(";base64"):
                data = base64.b64decode(unquote(body), validate=True)
            else:
                data = unquote_to_bytes(body)
        except (binascii.Error, ValueError):
            raise _Unusable("must be a data URI whose base64 can be decoded") from None
        return lambda: data

    def _local(self, item: Input, value: str) -> Callable[[], bytes]:
        if self.directory is None:
            raise _Unusable("must be a URL: FALHOOK_INPUT_DIRECTORY names no directory of files")
        path = (self.directory / _path(value)).resolve()
        if not self.anywhere and not path.is_relative_to(self.directory.resolve()):
            raise _Unusable(f"must lie below FALHOOK_INPUT_DIRECTORY={self.directory}")
        return partial(_read, path, item)


def _path(value: str) -> Path:
    if value[:5].lower() == "file:":
        # RFC 8089: file:///path, file://localhost/path, file:/path; file:path is our shorthand.
        rest = value[5:]
        if rest.startswith("//"):
            rest = "/" + rest[2:].partition("/")[2]
        value = unquote(rest)
    if "\0" in value:
        raise _Unusable("must be a path without null characters")
    return Path(value).expanduser()


def _read(path: Path, item: Input) -> bytes:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise _Unusable("must be a regular file")
        if about.st_size > item.max_bytes:
            raise _Unusable(_too_large(item))
        with path.open("rb") as file:
            return file.read(item.max_bytes + 1)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise _Unusable(f"cannot be read: {reason or type(error).__name__}") from None


def _checked(item: Input, data: bytes) -> str:
    if not data:
        raise _Unusable("is empty")
    if len(data) > item.max_bytes:
        raise _Unusable(_too_large(item))
    found = sniff(data[:HEAD_BYTES])
    if found is None or found.family not in item.families:
        wanted = " or ".join(
            f"{'a' if one == 'video' else 'an'} {one}" for one in sorted(item.families)
        )
        is_now = f"it is {found.name}" if found else "it is something else"
        raise _Unusable(f"must be {wanted} ({formats(item.families)}); {is_now}")
    return _name(data)


def _name(data: bytes) -> str:
    media = sniff(data[:HEAD_BYTES])
    return f"{hashlib.sha256(data).hexdigest()}.{media.extension if media else 'none'}"


def _too_large(item: Input) -> str:
    return f"must have at most {item.max_bytes:,} bytes"
