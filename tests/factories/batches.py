"""Files of jobs, written and read back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.factories.input_files import PNG
from worker.catalogue.catalogue import Catalogue
from worker.operations import batch
from worker.operations.batch import Batch
from worker.operations.request import JobRequest
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.storage import Storage

TEXT = "fal-ai/kling-video/v2.1/master/text-to-video"
IMAGE = "fal-ai/kling-video/v2.1/master/image-to-video"
Read = Callable[..., Batch]


def reader(directory: Path) -> Read:
    """Return a function that writes a file next to cat.png in the directory, and reads it.

    With None it reads an existing file.
    """
    (directory / "cat.png").write_bytes(PNG)
    storage = Storage.open(str(directory / "storage"))
    staging = Staging(storage=lambda: storage, directory=directory, anywhere=True)
    validator = Validator(catalogue=Catalogue.load(), staging=staging)

    def read(text: str | bytes | None, name: str = "jobs.jsonl", **defaults: Any) -> Batch:
        path = directory / name
        if text is not None:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return batch.read(
            path, validator, JobRequest(**{"endpoint": TEXT, "arguments": {}} | defaults)
        )

    return read


def lines(*rows: object) -> str:
    """Return the rows as JSON Lines."""
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def row(prompt: str = "a fox", **changes: object) -> dict[str, object]:
    """Return one row of a file of jobs."""
    return {"arguments": {"prompt": prompt}, **changes}


def ids(batch: Batch) -> list[str]:
    """Return the ids of all jobs; every row must be valid."""
    assert {} == batch.refused
    return [draft.job.id for draft in batch.drafts.values()]
