"""A copy of a byte range to the end of another file, made by the kernel where possible."""

import errno
import os
from typing import BinaryIO

from worker.formats.errors import MediaError

_CHUNK = 16 << 20  # bytes per system call


def copy_range(file: BinaryIO, out: BinaryIO, start: int, length: int) -> None:
    """Append `length` bytes of `file`, from `start`, to `out` in bounded memory.

    The caller must have flushed `out`. Raises MediaError (media_invalid) if `file` ends early.
    """
    left = length
    while left:
        try:
            copied = os.copy_file_range(file.fileno(), out.fileno(), min(left, _CHUNK), start)
        except AttributeError:  # not Linux
            break
        except OSError as error:
            if error.errno not in {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}:
                raise
            break
        if not copied:
            break
        start, left = start + copied, left - copied
    out.seek(0, os.SEEK_END)
    file.seek(start)
    while left:
        data = file.read(min(left, 1 << 20))
        if not data:
            raise MediaError("media_invalid", "it was truncated while it was being read")
        out.write(data)
        left -= len(data)
