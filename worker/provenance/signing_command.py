"""A command that signs instead of a key file, for a key service or a hardware token."""

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

SECONDS = 30.0  # most time of one signature: one call of a key service
SIGNATURE_BYTES = 4096  # most bytes of a signature
# Errors of starting a program that pass; any other is a fault of the setting.
_BUSY = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY})


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningCommand:
    """A command that reads bytes from standard input and writes their signature, DER or raw.

    It runs without a shell: its words are split like a shell's, but nothing in them is expanded.
    """

    words: tuple[str, ...]
    leaf: Certificate
    seconds: float = SECONDS

    @classmethod
    def parse(cls, text: str, leaf: Certificate) -> Self:
        """Parse the setting. Raises ProvenanceUnusable if its first word is not a program."""
        try:
            words = tuple(shlex.split(text))
        except ValueError as error:
            fault = f"FALHOOK_C2PA_COMMAND cannot be split into words: {error}"
            raise ProvenanceUnusable(fault) from None
        if not words or shutil.which(words[0]) is None:
            name = repr(words[0]) if words else "empty"
            raise ProvenanceUnusable(
                f"FALHOOK_C2PA_COMMAND is {name}: it must begin with an executable program"
            )
        return cls(words=words, leaf=leaf)

    def __call__(self, data: bytes) -> bytes:
        """Return the signature of these bytes, verified with the certificate.

        A command that takes too long or writes too much is killed with its children. Raises
        `Transient` (signing_failed), since an unavailable key service will be back, and `Permanent`
        if the program cannot be started.
        """
        signature = self._run(data)
        if not self.leaf.has_signed(data, signature):
            raise _failed("did not write a signature by the key of FALHOOK_C2PA_CERT")
        return signature

    def _run(self, data: bytes) -> bytes:
        # A file, since a command that does not read would block the writer of a pipe.
        with tempfile.TemporaryFile() as standard_input:
            standard_input.write(data)
            standard_input.seek(0)
            with self._start(standard_input) as process:
                assert process.stdout is not None
                try:
                    return self._read(process, process.stdout, time.monotonic() + self.seconds)
                finally:
                    if process.returncode is None:  # not reaped, so its group still exists
                        with suppress(ProcessLookupError):
                            os.killpg(process.pid, signal.SIGKILL)

    def _start(self, standard_input: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self.words,
                stdin=standard_input,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            kind = Transient if error.errno in _BUSY else Permanent
            raise _failed(f"could not be started: {error.strerror}", kind) from error

    def _read(self, process: subprocess.Popen[bytes], output: IO[bytes], deadline: float) -> bytes:
        """Read its output until it exits with 0. Raises Transient if it is late or too long."""
        signature = b""
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while len(signature) <= SIGNATURE_BYTES:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise self._too_late()
                part = os.read(output.fileno(), SIGNATURE_BYTES + 1 - len(signature))
                if not part:
                    self._require_success(process, deadline)
                    return signature
                signature += part
        raise _failed(f"wrote more than {SIGNATURE_BYTES} bytes, too many for a signature")

    def _require_success(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._too_late() from None
        if code:
            raise _failed(f"failed with exit code {code}")

    def _too_late(self) -> Failure:
        return _failed(f"took more than {self.seconds:g} s")


def _failed(sentence: str, kind: type[Failure] = Transient) -> Failure:
    return kind("signing_failed", f"the command of FALHOOK_C2PA_COMMAND {sentence}")
