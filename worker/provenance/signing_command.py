"""A command that signs in the key's place: of a key service, or of a token."""

import errno
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Self

from worker.errors import Failure, Permanent, Transient
from worker.provenance.certificate import Certificate
from worker.provenance.sdk import ProvenanceUnusable

SECONDS = 30.0  # that it may take: one call of a key service
SIGNATURE_BYTES = 4096  # that it may answer with
# What starting a program fails with while this machine is busy; the rest is the setting's fault.
_BUSY = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY})


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningCommand:
    """A command that gets bytes on standard input and writes their signature, DER or raw.

    It is no shell's: its words are split as a shell would, nothing in them is expanded.
    """

    words: tuple[str, ...]
    leaf: Certificate
    seconds: float = SECONDS

    @classmethod
    def parse(cls, text: str, leaf: Certificate) -> Self:
        """Of the setting's text. Raises ProvenanceUnusable where no program can be started."""
        try:
            words = tuple(shlex.split(text))
        except ValueError as error:
            fault = f"FALHOOK_C2PA_COMMAND cannot be split into words: {error}"
            raise ProvenanceUnusable(fault) from None
        if not words or shutil.which(words[0]) is None:
            name = words[0] if words else "nothing"
            raise ProvenanceUnusable(
                f"FALHOOK_C2PA_COMMAND names no program that can be started: {name}"
            )
        return cls(words=words, leaf=leaf)

    def __call__(self, data: bytes) -> bytes:
        """The signature of these bytes, checked against the certificate.

        A command that takes too long or writes too much is killed with its children. Raises
        Transient (signing_failed), since a key service that is away or answers with an error will
        be back, and Permanent where the program cannot be started.
        """
        signature = self._answer(data)
        if not self.leaf.has_signed(data, signature):
            raise _failed("gave no signature by the key of FALHOOK_C2PA_CERT")
        return signature

    def _answer(self, data: bytes) -> bytes:
        # A file, since a command that does not read would block the writer of a pipe.
        with tempfile.TemporaryFile() as given:
            given.write(data)
            given.seek(0)
            with self._started(given) as process:
                assert process.stdout is not None
                try:
                    return self._ended(process, process.stdout, time.monotonic() + self.seconds)
                finally:
                    if process.returncode is None:  # it was not waited for: its group is there
                        with suppress(ProcessLookupError):
                            os.killpg(process.pid, signal.SIGKILL)

    def _started(self, given: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self.words,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            kind = Transient if error.errno in _BUSY else Permanent
            raise _failed(f"could not be started: {error.strerror}", kind) from error

    def _ended(self, process: subprocess.Popen[bytes], output: IO[bytes], deadline: float) -> bytes:
        """What it wrote, one byte more than a signature may have at most."""
        answer = b""
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while len(answer) <= SIGNATURE_BYTES:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise self._late()
                part = os.read(output.fileno(), SIGNATURE_BYTES + 1 - len(answer))
                if not part:
                    self._require_success(process, deadline)
                    return answer
                answer += part
        raise _failed(f"wrote more than {SIGNATURE_BYTES} bytes, which are no signature")

    def _require_success(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._late() from None
        if code:
            raise _failed(f"ended with exit code {code}")

    def _late(self) -> Failure:
        return _failed(f"took more than {self.seconds:g} s")


def _failed(what: str, kind: type[Failure] = Transient) -> Failure:
    return kind("signing_failed", f"the command of FALHOOK_C2PA_COMMAND {what}")
