"""The seconds that one message of a task may take before its thread counts as stuck.

Generous, about twice the longest that was seen or allowed: whoever ends a worker too soon ends the
other steps of its pool with it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from webhook.contract import Task

_MINUTE, _HOUR = 60.0, 3600.0

MOST: Mapping[str, float] = MappingProxyType(
    {
        # Waits between tries while the broker takes no retry, and files of the message.
        Task.CREATE: _HOUR,
        # Another worker's upload of the same input, its own, then one POST.
        Task.SUBMIT: 10 * _MINUTE,
        Task.INGEST: 10 * _MINUTE,
        Task.SWEEP: 10 * _MINUTE,
        # A download is given up after ten minutes; then the file is put into storage.
        Task.DOWNLOAD: _HOUR,
        # One run of ffmpeg is given up after two hours.
        Task.TRANSCODE_TAG: 4 * _HOUR,
        Task.PUBLISH: _HOUR,
        # Once a day it deletes all old files.
        Task.RETAIN: 6 * _HOUR,
        # It may go on for ever, and says so in each of its rounds.
        Task.NOTIFY: 10 * _MINUTE,
    }
)
