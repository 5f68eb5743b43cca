"""A file of jobs is checked whole, and its rows keep their ids while they stay the same."""

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
from worker.catalogue.catalogue import Catalogue
from worker.jobs.store import JobStore
from worker.operations.batch_file import UnreadableFile
from worker.operations.create import JobCreator
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.storage import Storage


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes a file of that name and reads it."""
    return reader(tmp_path)


def test_rows_become_jobs_by_their_line(read: Read) -> None:
    """Blank lines count as lines; what a row leaves out comes from the command line."""
    own = row("a cat", endpoint="acme/x", unchecked=True, metadata={"n": 2}, id="mine")
    options = {"priority": "low"}
    text = lines(row()) + "\n" + lines(own)
    found = read(text, metadata={"batch": "7"}, options=options)
    first, second = (draft.job for draft in found.drafts.values())
    assert [1, 3] == list(found.drafts)
    assert (TEXT, {"batch": "7"}, options) == (first.endpoint, first.metadata, first.options)
    assert ("acme/x", {"batch": "7", "n": 2}, "mine") == (
        second.endpoint,
        second.metadata,
        second.id,
    )


def test_the_same_file_gives_the_same_ids(read: Read) -> None:
    """Read again it is the same jobs, equal rows are different ones, another file others."""
    text = lines(row(), row("a cat"), row())
    first = ids(read(text))
    assert first == ids(read(text))
    assert 3 == len(set(first))
    assert not set(first) & set(ids(read(text, "others.jsonl")))
    assert not set(first) & set(ids(read(text, endpoint=TEXT.replace("v2.1", "v2"))))


READ_OFTEN = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def test_a_name_is_the_same_however_its_letters_are_composed(read: Read) -> None:
    """A file that was copied from another system is the same file."""
    composed, decomposed = (unicodedata.normalize(form, "müll.jsonl") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert ids(read(lines(row()), composed)) == ids(read(lines(row()), decomposed))


PROMPTS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=6)


@READ_OFTEN
@given(PROMPTS, st.data())
def test_mending_one_row_keeps_the_ids_of_the_others(
    read: Read, prompts: list[str], data: st.DataObject
) -> None:
    """Whichever row is mended after a crash, no other one becomes a second, paid job."""
    place = data.draw(st.integers(0, len(prompts) - 1))
    before = ids(read(lines(*(row(prompt) for prompt in prompts))))
    mended = [*prompts[:place], "mended", *prompts[place + 1 :]]
    after = ids(read(lines(*(row(prompt) for prompt in mended))))
    assert len(set(after) - set(before)) == 1


@READ_OFTEN
@given(PROMPTS, st.data())
def test_moved_rows_keep_their_ids(read: Read, prompts: list[str], data: st.DataObject) -> None:
    """A file that was sorted otherwise is the same jobs, and each keeps its content."""
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
    """Metadata of the row or of the command line, options, checks, and how a number is written."""
    before = read(lines({"arguments": {"prompt": "a", **spelt[0]}, "metadata": titles[0]}))
    asked = {"arguments": {**spelt[1], "prompt": "a"}, "metadata": titles[1]}
    asked |= {"options": {"priority": "low"}, "unchecked": unchecked}
    assert ids(before) == ids(read(lines(asked), metadata=titles[2]))


def test_true_is_no_number(read: Read) -> None:
    """Of what differs to fal, no two are one job."""
    values = [True, 1, "x", None, [1], {"n": 1}, False, 0]
    rows = [{"arguments": {"a": value}, "unchecked": True} for value in values]
    texts = {json.dumps(one): ids(read(lines(one), endpoint="acme/x")) for one in rows}
    assert len(values) == len({job_id for (job_id,) in texts.values()})


@READ_OFTEN
@given(PROMPTS, st.data())
def test_a_resumed_run_makes_exactly_the_missing_jobs(
    read: Read, records: JobStore, prompts: list[str], data: st.DataObject
) -> None:
    """Wherever the first run was killed, and in whatever order its rows come the second time."""
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
    assert sorted(prompts) == sorted(str(job.arguments["prompt"]) for job in records.list())


def _no_files() -> Storage:
    raise AssertionError("no job of these has files")


PICTURES = st.lists(st.integers(1, 9), min_size=2, max_size=4, unique=True)


@READ_OFTEN
@given(PICTURES)
def test_a_replaced_picture_is_a_new_job(read: Read, tmp_path: Path, paddings: list[int]) -> None:
    """Under the same path other bytes are another job; the former bytes are the former job."""
    text = lines({"arguments": {"prompt": "a", "image_url": "cat.png"}})

    def made(padding: int) -> str:
        (tmp_path / "cat.png").write_bytes(png(padding=padding))
        (found,) = ids(read(text, endpoint=IMAGE))
        return found

    first = {padding: made(padding) for padding in paddings}
    assert len(paddings) == len(set(first.values()))
    assert first == {padding: made(padding) for padding in reversed(paddings)}


def test_every_problem_is_told_by_its_line(read: Read) -> None:
    """Not JSON, no object, unknown key, bad inputs, bad id, an id twice: all at once."""
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
    found = read(text)
    assert [6] == list(found.drafts)
    assert [1, 2, 3, 4, 5, 7, 8, 9] == list(found.refused)
    assert "line 6" in str(found.refused[7])
    assert "duration" in str(found.refused[8])
    assert "did you mean prompt?" in str(found.refused[8])


TWICE = 'is JSON with "prompt" twice in one object; remove one'


@pytest.mark.parametrize(
    ("text", "told"),
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
            "metadata, options, unchecked; inputs go into arguments",
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
            "zoom 3: is not a field of a job; use arguments, id, endpoint, metadata, options, "
            "unchecked; inputs go into arguments",
        ),
        (
            '{"arguments": [], "id": 7, "unchecked": "false"}',
            "arguments (a list of 0): must be an object\nid 7: must be a string\n"
            "unchecked (5 characters): must be true or false",
        ),
    ],
)
def test_a_row_that_is_no_job(read: Read, text: str, told: str) -> None:
    """What is wrong with its form, all at once, with one line number and the cure."""
    assert {1: told} == {line: str(why) for line, why in read(text).refused.items()}


@pytest.mark.parametrize("name", ["pipe.jsonl", "pipe.csv", "directory.jsonl"])
def test_a_pipe_is_refused_unread(read: Read, tmp_path: Path, name: str) -> None:
    """Nobody might ever write to it, and a run that was interrupted could not read it again."""
    os.mkfifo(tmp_path / name) if "pipe" in name else (tmp_path / name).mkdir()
    with pytest.raises(UnreadableFile, match="is not a regular file: write the jobs to one"):
        read(None, name)


def test_tags_of_a_row_join_those_of_the_command_line(read: Read) -> None:
    """As flags join --options: one level down."""
    one = row(options={"tags": {"row": "1"}})
    found = read(lines(one), options={"tags": {"team": "films"}})
    assert {"tags": {"team": "films", "row": "1"}} == found.drafts[1].job.options


@pytest.mark.parametrize(
    ("text", "name", "told"),
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
def test_a_file_that_is_none_of_jobs(read: Read, text: Any, name: str, told: str) -> None:
    """One sentence about the whole file."""
    with pytest.raises(UnreadableFile, match=told):
        read(text, name)
