"""The probe of `falhook check` for free space: of the storage's directory and of scratch files."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from worker.cli.check.warning import CheckWarning
from worker.cli.errors import CliError
from worker.settings.settings import Settings
from worker.storage import Storage
from worker.storage.scratch import require_temporary_directory

# Results of the largest accepted size that should fit, before a warning.
RESERVE = 5
_GIB = 2**30


def disk(settings: Settings) -> str:
    """Check that several of the largest results fit on each disk that workers write to."""
    free = {name: shutil.disk_usage(path).free for name, path in _places(settings).items()}
    largest = settings.download_max_bytes
    sentences = [f"{name} has {size / _GIB:.1f} GiB free" for name, size in free.items()]
    least = min(free.values())
    if least >= RESERVE * largest:
        return ", ".join(sentences)
    full = "; ".join(
        f"{text}, and one result may have {largest / _GIB:.1f} GiB (FALHOOK_DOWNLOAD_MAX_BYTES)"
        for text, size in zip(sentences, free.values(), strict=True)
        if size < RESERVE * largest
    )
    raise (CliError if least < largest else CheckWarning)(
        f"{full}; free some space, or use a larger disk: a full one makes jobs wait and then fail"
    )


def _places(settings: Settings) -> Mapping[str, Path]:
    require_temporary_directory()
    places = {f"TMPDIR {tempfile.gettempdir()}": Path(tempfile.gettempdir())}
    if (root := Storage.existing(settings.storage_url).root) is not None:
        places[f"FALHOOK_STORAGE_URL {root}"] = root
    return places
