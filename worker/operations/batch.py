"""Many jobs from one file: JSON Lines or CSV, checked whole before the first is made.

A row without an id of its own gets one that follows from the file's name, what fal will be asked
and how often the same was asked before it in the file. So the same file again makes no job twice,
also after other rows were mended, moved or described by other metadata, and two equal rows are two
jobs; another picture under the same name is another job.
"""

import json
import unicodedata
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from worker.catalogue.errors import RequestRejected
from worker.jobs.job import hashed_id
from worker.operations import batch_file
from worker.operations.batch_row import order_of
from worker.operations.request import DraftJob, InvalidJobId, JobRequest, canonical
from worker.operations.validation import Validator
from worker.text import printable

Refused = RequestRejected | InvalidJobId | batch_file.InvalidRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The jobs of a file by their line, and what is wrong by its line, both in the file's order."""

    drafts: dict[int, DraftJob] = field(default_factory=dict)
    refused: dict[int, Refused] = field(default_factory=dict)


def read(path: Path, checks: Validator, order: JobRequest) -> Batch:
    """Every row, checked; `order` holds what rows leave out. Raises Unreadable."""
    bulk, seen, ids = Batch(), Counter[str](), dict[str, int]()
    for line, row in batch_file.read(path):
        try:
            asked = order_of(row(), order, checks)
            draft = checks.validate(asked)
            if asked.job_id is None:
                draft = _identified(draft, path.name, seen)
        except (RequestRejected, InvalidJobId, batch_file.InvalidRow) as refused:
            bulk.refused[line] = refused
            continue
        first = ids.setdefault(draft.job.id, line)
        if first == line:
            bulk.drafts[line] = draft
        else:
            sentence = f"the id {draft.job.id} is that of line {first} already"
            bulk.refused[line] = InvalidJobId(sentence)
    if not (bulk.drafts or bulk.refused):
        raise batch_file.UnreadableFile(f"{printable(str(path))} holds no job")
    return bulk


def _identified(draft: DraftJob, name: str, seen: Counter[str]) -> DraftJob:
    """The draft under the id of its content, which is what fal will be asked: as it was checked."""
    job = draft.job
    # Systems that copy files spell the letters of their names in one of two ways.
    name = unicodedata.normalize("NFC", name)
    content = json.dumps([name, job.endpoint, canonical(job.arguments)], sort_keys=True)
    seen[content] += 1
    return replace(draft, job=replace(job, id=hashed_id(f"{content}\n{seen[content]}")))
