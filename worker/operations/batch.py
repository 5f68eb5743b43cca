"""Many jobs from one file, JSON Lines or CSV, validated as a whole before the first is created.

A row without an id gets one derived from the file's name, the tenant, what fal will be asked, and
how often the file has asked the same before. So a rerun of the file creates no job twice, also
after other rows were corrected, moved or given other metadata. Two equal rows are two jobs, and
another picture under the same name is another job.
"""

import json
import unicodedata
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from worker.catalogue.errors import RequestRejected
from worker.jobs.job import hashed_id
from worker.jobs.tenant import DEFAULT
from worker.operations import batch_file
from worker.operations.batch_row import request_of
from worker.operations.request import DraftJob, InvalidJobId, JobRequest, canonical
from worker.operations.validation import Validator
from worker.text import printable

Refused = RequestRejected | InvalidJobId | batch_file.InvalidRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The valid jobs of a file and the errors of its other rows, by line, in the file's order."""

    drafts: dict[int, DraftJob] = field(default_factory=dict)
    refused: dict[int, Refused] = field(default_factory=dict)


def read(path: Path, validator: Validator, defaults: JobRequest) -> Batch:
    """Return every row, validated; `defaults` has what rows leave out. Raises UnreadableFile."""
    batch, seen, ids = Batch(), Counter[str](), dict[str, int]()
    for line, row in batch_file.read(path):
        try:
            request = request_of(row(), defaults, validator)
            draft = validator.validate(request)
            if request.job_id is None:
                draft = _with_derived_id(draft, path.name, seen)
        except (RequestRejected, InvalidJobId, batch_file.InvalidRow) as error:
            batch.refused[line] = error
            continue
        first = ids.setdefault(draft.job.id, line)
        if first == line:
            batch.drafts[line] = draft
        else:
            sentence = f"id {draft.job.id} is used by line {first} already; use another"
            batch.refused[line] = InvalidJobId(sentence)
    if not (batch.drafts or batch.refused):
        raise batch_file.UnreadableFile(f"{printable(str(path))} contains no jobs")
    return batch


def _with_derived_id(draft: DraftJob, name: str, seen: Counter[str]) -> DraftJob:
    job = draft.job
    # Systems that copy files spell accented letters of their names in one of two ways.
    name = unicodedata.normalize("NFC", name)
    tenant = [] if job.tenant == DEFAULT else [job.tenant]
    content = json.dumps([name, job.endpoint, canonical(job.arguments), *tenant], sort_keys=True)
    seen[content] += 1
    return replace(draft, job=replace(job, id=hashed_id(f"{content}\n{seen[content]}")))
