"""Bytes of one file at the end of another, in the kernel where it can."""

import errno
import os
from typing import BinaryIO

from worker.formats.errors import MediaError

_CHUNK = 16 << 20  # bytes that one call of the kernel copies


def copy_range(file: BinaryIO, out: BinaryIO, start: int, length: int) -> None:
    """`length` bytes of `file` from `start` are at the end of `out`, none of them read at once.

    Whatever was written to `out` before must be flushed. Raises MediaError (media_invalid) where
    `file` ends before.
    """
    left = length
    while left:
        try:
            done = os.copy_file_range(file.fileno(), out.fileno(), min(left, _CHUNK), start)
        except AttributeError:  # not Linux
            break
        except OSError as error:
            if error.errno not in {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}:
                raise
            break
        if not done:
            break
        start, left = start + done, left - done
    out.seek(0, os.SEEK_END)
    file.seek(start)
    while left:
        data = file.read(min(left, 1 << 20))
        if not data:
            raise MediaError("media_invalid", "it became shorter while it was read")
        out.write(data)
        left -= len(data)
