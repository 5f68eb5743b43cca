"""A file of jobs is validated as a whole, and unchanged rows keep their ids."""

import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories.batches import IMAGE, TEXT, Read, ids, lines, reader, row
from tests.factories.input_files import png
from tests.factories.listed import jobs_of
from worker.catalogue.catalogue import Catalogue
from worker.jobs.store import JobStore
from worker.operations.batch_file import UnreadableFile
from worker.operations.create import JobCreator
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.storage import Storage


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a file with this name and read it."""
    return reader(tmp_path)


def test_rows_become_jobs_by_their_line(read: Read) -> None:
    """Blank lines count as lines; the command line fills what a row leaves out."""
    own = row("a cat", endpoint="acme/x", unchecked=True, metadata={"n": 2}, id="mine")
    options = {"priority": "low"}
    text = lines(row()) + "\n" + lines(own)
    batch = read(text, metadata={"batch": "7"}, options=options)
    first, second = (draft.job for draft in batch.drafts.values())
    assert [1, 3] == list(batch.drafts)
    assert (TEXT, {"batch": "7"}, options) == (first.endpoint, first.metadata, first.options)
    assert ("acme/x", {"batch": "7", "n": 2}, "mine") == (
        second.endpoint,
        second.metadata,
        second.id,
    )


def test_the_same_file_gives_the_same_ids(read: Read) -> None:
    """A file read twice gives the same ids; equal rows and other files give other ids."""
    text = lines(row(), row("a cat"), row())
    first = ids(read(text))
    assert first == ids(read(text))
    assert 3 == len(set(first))
    assert not set(first) & set(ids(read(text, "others.jsonl")))
    assert not set(first) & set(ids(read(text, endpoint=TEXT.replace("v2.1", "v2"))))


READ_OFTEN = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def test_a_row_belongs_to_its_tenant(read: Read) -> None:
    """A row names it, in either form of file, or has the one of the command line.

    The same row of two tenants is two jobs; without a tenant its id is what it always was.
    """
    jobs = read(lines(row(), row(tenant="acme"), row(tenant="default")), tenant="bolt").drafts
    assert ["bolt", "acme", "default"] == [draft.job.tenant for draft in jobs.values()]
    assert 3 == len({draft.job.id for draft in jobs.values()})
    assert jobs[3].job.id == read(lines(row())).drafts[1].job.id
    cells = read("endpoint,prompt,tenant\n" + f"{TEXT},a fox,acme\n", name="jobs.csv").drafts
    assert ["acme"] == [draft.job.tenant for draft in cells.values()]


def test_a_name_is_the_same_however_its_letters_are_composed(read: Read) -> None:
    """A file that was copied from another system gives the same ids."""
    composed, decomposed = (unicodedata.normalize(form, "müll.jsonl") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert ids(read(lines(row()), composed)) == ids(read(lines(row()), decomposed))


PROMPTS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=6)


@READ_OFTEN
@given(PROMPTS, st.data())
def test_mending_one_row_keeps_the_ids_of_the_others(
    read: Read, prompts: list[str], data: st.DataObject
) -> None:
    """Whichever row is corrected after a crash, no other one becomes a second, paid job."""
    place = data.draw(st.integers(0, len(prompts) - 1))
    before = ids(read(lines(*(row(prompt) for prompt in prompts))))
    corrected = [*prompts[:place], "corrected", *prompts[place + 1 :]]
    after = ids(read(lines(*(row(prompt) for prompt in corrected))))
    assert 1 == len(set(after) - set(before))


@READ_OFTEN
@given(PROMPTS, st.data())
def test_moved_rows_keep_their_ids(read: Read, prompts: list[str], data: st.DataObject) -> None:
    """A file in another order is the same jobs, and each keeps its content."""
    before, after = (
        read(lines(*(row(prompt) for prompt in some)))
        for some in (prompts, data.draw(st.permutations(prompts)))
    )
    assert sorted(ids(before)) == sorted(ids(after))
    jobs = {draft.job.id: draft.job.arguments for draft in before.drafts.values()}
    assert jobs == {draft.job.id: draft.job.arguments for draft in after.drafts.values()}


SPELLINGS: dict[str, list[object]] = {"duration": [5, "5", 5.0], "cfg_scale": [1, 1.0]}
SPELT = st.fixed_dictionaries({name: st.sampled_from(all_) for name, all_ in SPELLINGS.items()})
TITLES = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"))


@READ_OFTEN
@given(st.tuples(SPELT, SPELT), st.tuples(TITLES, TITLES, TITLES), st.booleans())
def test_what_fal_is_not_asked_changes_no_id(
    read: Read,
    spelt: tuple[dict[str, object], ...],
    titles: tuple[dict[str, str], ...],
    unchecked: bool,
) -> None:
    """Metadata, options, validation and the notation of a number do not change an id."""
    before = read(lines({"arguments": {"prompt": "a", **spelt[0]}, "metadata": titles[0]}))
    changed = {"arguments": {**spelt[1], "prompt": "a"}, "metadata": titles[1]}
    changed |= {"options": {"priority": "low"}, "unchecked": unchecked}
    assert ids(before) == ids(read(lines(changed), metadata=titles[2]))


def test_values_that_differ_to_fal_are_different_jobs(read: Read) -> None:
    """True is not 1, and 1 is not [1]: each value gives an id of its own."""
    values = [True, 1, "x", None, [1], {"n": 1}, False, 0]
    rows = [{"arguments": {"a": value}, "unchecked": True} for value in values]
    texts = {json.dumps(item): ids(read(lines(item), endpoint="acme/x")) for item in rows}
    assert len(values) == len({job_id for (job_id,) in texts.values()})


@READ_OFTEN
@given(PROMPTS, st.data())
def test_a_resumed_run_makes_exactly_the_missing_jobs(
    read: Read, records: JobStore, prompts: list[str], data: st.DataObject
) -> None:
    """Wherever the first run was killed, and in whatever order its rows are read again."""
    records.redis.flushall()
    validator = Validator(
        catalogue=Catalogue.load(), staging=Staging(storage=_no_files, directory=None)
    )
    creator = JobCreator(store=records, validator=validator, wake=lambda _task, _job: None)
    first = list(read(lines(*(row(prompt) for prompt in prompts))).drafts.values())
    done = data.draw(st.integers(0, len(prompts)))
    assert [True] * done == [creator.add(draft).new for draft in first[:done]]
    moved = data.draw(st.permutations(prompts))
    again = read(lines(*(row(prompt) for prompt in moved)), metadata={"batch": "2"})
    new = [creator.add(draft).new for draft in again.drafts.values()]
    assert len(prompts) - done == sum(new)
    assert sorted(prompts) == sorted(str(job.arguments["prompt"]) for job in jobs_of(records))


def _no_files() -> Storage:
    raise AssertionError("these jobs have no files")


PICTURES = st.lists(st.integers(1, 9), min_size=2, max_size=4, unique=True)


@READ_OFTEN
@given(PICTURES)
def test_a_replaced_picture_is_a_new_job(read: Read, tmp_path: Path, paddings: list[int]) -> None:
    """Other bytes under the same path are another job; the old bytes are the old job."""
    text = lines({"arguments": {"prompt": "a", "image_url": "cat.png"}})

    def job_id(padding: int) -> str:
        (tmp_path / "cat.png").write_bytes(png(padding=padding))
        (only,) = ids(read(text, endpoint=IMAGE))
        return only

    first = {padding: job_id(padding) for padding in paddings}
    assert len(paddings) == len(set(first.values()))
    assert first == {padding: job_id(padding) for padding in reversed(paddings)}


def test_every_invalid_row_is_reported_by_its_line(read: Read) -> None:
    """Invalid JSON, keys, inputs and ids, and duplicate ids, are all reported together."""
    text = "".join(
        [
            "{\n",
            "[]\n",
            lines(
                row(promt=1), row("", duration=7), row(id="a b"), row(id="i1"), row("b", id="i1")
            ),
            lines({"arguments": {"prompt": "a", "duration": 7, "promt": 1}}),
            lines({"arguments": "x"}),
        ]
    )
    batch = read(text)
    assert [6] == list(batch.drafts)
    assert [1, 2, 3, 4, 5, 7, 8, 9] == list(batch.refused)
    assert "line 6" in str(batch.refused[7])
    assert "duration" in str(batch.refused[8])
    assert "did you mean prompt?" in str(batch.refused[8])


TWICE = 'is JSON with "prompt" twice in one object; remove one'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"arguments": {"prompt" "a"}}', "is not JSON: Expecting ':' delimiter at character 25"),
        ("[" * 100_000, "is JSON that nests too deeply"),
        ('{"arguments": {"prompt": "a", "prompt": "b"}}', TWICE),
        ('{"arguments": {"prompt": "a"}, "metadata": {"prompt": 1, "prompt": 1}}', TWICE),
        (
            '{"arguments": {"prompt": "a", "\\ud800x": 1}}',
            r'is JSON with a lone surrogate (half a character) in "\ud800x"',
        ),
        (
            '{"arguments": {"prompt": "a"}, "\\u001b]0;P\\u0007": 1}',
            r'"\u001b]0;P\u0007" 1: is not a field of a job; use arguments, id, endpoint, '
            "tenant, metadata, options, unchecked, notify; inputs go into arguments",
        ),
        ("{}", 'arguments: is missing; write {"arguments": {"prompt": "…"}}'),
        (
            '{"prompt": "a", "duration": 5}',
            'arguments: is missing; move "prompt", "duration" into it: '
            '{"arguments": {"prompt": "…"}}',
        ),
        (
            '{"argumets": {}}',
            "argumets (an object): is not a field of a job; did you mean arguments?",
        ),
        (
            '{"arguments": {"prompt": "a"}, "zoom": 3}',
            "zoom 3: is not a field of a job; use arguments, id, endpoint, tenant, metadata, "
            "options, unchecked, notify; inputs go into arguments",
        ),
        (
            '{"arguments": [], "id": 7, "unchecked": "false"}',
            "arguments (a list of 0): must be an object\nid 7: must be a string\n"
            "unchecked (5 characters): must be true or false",
        ),
    ],
)
def test_an_invalid_row(read: Read, text: str, words: str) -> None:
    """Every problem of its form is reported, with the correction."""
    assert {1: words} == {line: str(why) for line, why in read(text).refused.items()}


@pytest.mark.parametrize("name", ["pipe.jsonl", "pipe.csv", "directory.jsonl"])
def test_a_pipe_is_rejected_unread(read: Read, tmp_path: Path, name: str) -> None:
    """Nobody may ever write to a pipe, and an interrupted run could not read it again."""
    os.mkfifo(tmp_path / name) if "pipe" in name else (tmp_path / name).mkdir()
    with pytest.raises(UnreadableFile, match="is not a regular file: write the jobs to one"):
        read(None, name)


def test_tags_of_a_row_join_those_of_the_command_line(read: Read) -> None:
    """The tags are merged, as flags are merged into --options."""
    tagged = row(options={"tags": {"row": "1"}})
    batch = read(lines(tagged), options={"tags": {"team": "films"}})
    assert {"tags": {"team": "films", "row": "1"}} == batch.drafts[1].job.options


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("", "jobs.jsonl", "no jobs"),
        ("\n\n", "jobs.jsonl", "no jobs"),
        ("prompt\n", "jobs.csv", "no jobs"),
        ("prompt,prompt\na,b\n", "jobs.csv", "its own name"),
        ('prompt\n"a\n', "jobs.csv", "not CSV"),
        ("prompt\nMüll\n".encode("latin-1"), "jobs.csv", "save it as UTF-8"),
        ("prompt\na\n".encode("utf-16"), "jobs.csv", "save it as UTF-8"),
        ("prompt\na\n".encode("utf-16-le"), "jobs.csv", "save it as UTF-8"),
        ("{}", "jobs.txt", ".jsonl or .csv"),
    ],
)
def test_a_file_without_jobs(read: Read, text: Any, name: str, words: str) -> None:
    """An unusable file is one error, about the file as a whole."""
    with pytest.raises(UnreadableFile, match=words):
        read(text, name)
