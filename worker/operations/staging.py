"""Checks local files and data URIs among the inputs, and stores them for the submit step.

A job may be created and submitted on different machines. So the bytes go into storage under
uploads/{sha256}.{extension}, and the input becomes upload://{sha256}.{extension}. Files that are
too large, of a wrong type or unreadable are rejected before.
"""

import io
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from worker.catalogue.errors import InputProblem, shown
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.validation.paths import path as path_text
from worker.catalogue.validation.values import STAGED
from worker.formats.media_types import BINARY, type_of_name
from worker.operations.file_references import UNKNOWN, file_input, is_embedded, is_local
from worker.operations.local_file import (
    UnusableFile,
    checked_name,
    embedded,
    opened,
    path_of,
    too_large,
)
from worker.operations.staged_files import LocalFile, StagedFiles
from worker.storage import CHUNK_BYTES, Storage, StoredObject
from worker.storage.layout import REFRESHED_AFTER, storage_key
from worker.text import printable

Loc = tuple[str | int, ...]
Opener = Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """Stages local files inside `directory`, the base of relative paths; None allows no files.

    `storage` opens the storage when the first file is stored.
    """

    storage: Callable[[], Storage]
    directory: Path | None
    # Whether files outside `directory` and bare paths are allowed, as for the command line.
    anywhere: bool = False
    # How callers pass files who have none on this machine: completes "must be a URL: …".
    advice: str = ""
    # Whether an upload:// reference must be to a stored file.
    check_uploads: bool = False
    clock: Callable[[], float] = time.time

    def stage(
        self, inputs: tuple[Input, ...] | None, arguments: Mapping[str, object]
    ) -> StagedFiles:
        """Return the arguments with upload:// references in place of files; `put` stores these.

        `inputs` is None without a schema. An unusable file is listed among the problems and also
        replaced, so that the catalogue does not report it a second time. Raises the storage's
        Failure with `check_uploads`.
        """
        staged = StagedFiles(arguments={})
        members = None if inputs is None else {item.name: item for item in inputs}
        try:
            staged.arguments.update(self._members(staged, members, arguments, ()))
        except RecursionError:
            staged.problems.append(
                InputProblem(path="arguments", value="", message="nest too deeply")
            )
        return staged

    def put(self, staged: StagedFiles) -> None:
        """Store every file. Raises RequestRejected("input_changed") for a changed file."""
        for name, file in staged.files.items():
            self.keep(name, file)

    def keep(self, name: str, file: LocalFile) -> None:
        """Store the file under uploads/`name`, unless it is there.

        Of a large file only parts are in memory. An old one is written again. Raises
        RequestRejected("input_changed") if `name` does not follow from its bytes; then nothing is
        stored.
        """
        storage, key, size = self.storage(), storage_key(name), file.size()
        found = storage.find(key)
        is_there = found is not None and found.size == size
        if found is None or not is_there or self._is_old(found):
            # A small one in one request.
            content = file.content(name)
            data = content if size > CHUNK_BYTES else b"".join(content)
            media = type_of_name(name) or BINARY
            storage.put(key, data, content_type=media.name)

    def _is_old(self, found: StoredObject) -> bool:
        # Written again, it stays for as long as the job may need it: worker/retention/retention.py.
        return self.clock() - found.modified > REFRESHED_AFTER

    def _members(
        self,
        staged: StagedFiles,
        members: Mapping[str, Input] | None,
        values: Mapping[str, object],
        above: Loc,
    ) -> dict[str, object]:
        result: dict[str, object] = {}
        for name, value in values.items():
            item = UNKNOWN if members is None else members.get(str(name))
            # A single value for a list is an error, which the catalogue reports with that value.
            if item is None or (item.many and isinstance(value, str)):
                result[name] = value
            else:
                result[name] = self._value(staged, item, value, (*above, str(name)))
        return result

    def _value(self, staged: StagedFiles, item: Input, value: object, loc: Loc) -> object:
        match value:
            case str():
                name = next(str(step) for step in reversed(loc) if isinstance(step, str))
                accepted = file_input(item, name)
                return (
                    value
                    if accepted is None
                    else self._text(staged, accepted, value, path_text(loc))
                )
            case list():
                return [
                    self._value(staged, item, v, (*loc, index)) for index, v in enumerate(value)
                ]
            case Mapping():
                members = {nested.name: nested for nested in item.nested}
                any_names = item is UNKNOWN or item.kind is InputType.ANY
                return self._members(staged, None if any_names else members, value, loc)
        return value

    def _text(self, staged: StagedFiles, item: Input, value: str, path: str) -> str:
        if self.check_uploads and (match := STAGED.fullmatch(value)):
            self._check_upload(staged, item, match[1], path)
            return value
        is_data = is_embedded(item, value)
        if not is_data and not is_local(item, value, typed=self.anywhere or bool(self.advice)):
            return value
        text = "" if is_data else shown(value)
        try:
            open_file = _embedded(item, value) if is_data else self._local(item, value)
            with open_file() as file:
                name = checked_name(item, file)
        except UnusableFile as unusable:
            staged.problems.append(InputProblem(path=path, value=text, message=str(unusable)))
            return f"upload://{'0' * 64}.none"
        staged.files[name] = LocalFile(path=path, value=text, open=open_file)
        return f"upload://{name}"

    def _check_upload(self, staged: StagedFiles, item: Input, name: str, path: str) -> None:
        """Add a problem for a file that is not stored or too large; an old one is stored again."""
        found, value = self.storage().find(storage_key(name)), f"upload://{name}"
        message = ""
        if found is None:
            message = f"is not in the storage: {self.advice or 'pass the file itself'}"
        elif found.size > item.max_bytes:
            message = too_large(item)
        elif self._is_old(found):
            staged.files[name] = LocalFile(path=path, value=value, open=partial(self._stored, name))
        if message:
            staged.problems.append(InputProblem(path=path, value=shown(value), message=message))

    @contextmanager
    def _stored(self, name: str) -> Iterator[BinaryIO]:
        with tempfile.TemporaryFile() as file:
            for chunk in self.storage().chunks(storage_key(name)):
                file.write(chunk)
            yield file

    def _local(self, item: Input, value: str) -> Opener:
        if self.directory is None:
            advice = self.advice or "FALHOOK_INPUT_DIRECTORY is not set"
            raise UnusableFile(f"must be a URL: {advice}")
        try:
            path = (self.directory / path_of(value)).resolve()
        except (OSError, RuntimeError) as error:
            # Python 3.11 and 3.12 raise RuntimeError for circular links and an unknown ~user.
            raise UnusableFile(f"cannot be read: {printable(str(error).rstrip('.'))}") from None
        if not self.anywhere and not path.is_relative_to(self.directory.resolve()):
            raise UnusableFile(f"must be inside FALHOOK_INPUT_DIRECTORY={self.directory}")
        return partial(opened, path, item)


def _embedded(item: Input, value: str) -> Opener:
    content = embedded(item, value).read()
    return lambda: io.BytesIO(content)
