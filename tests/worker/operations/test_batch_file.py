"""A spreadsheet of jobs is read as its writer meant it."""

import base64
from pathlib import Path

import pytest

from tests.factories.batches import IMAGE, TEXT, Read, reader
from tests.factories.input_files import PNG, named, png
from worker.catalogue.catalogue import Catalogue
from worker.operations.batch_file import UnreadableFile


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes a file of that name and reads it."""
    return reader(tmp_path)


def test_a_table_is_read_as_the_endpoint_wants_it(read: Read) -> None:
    """Cells of text stay text, others are JSON; empty ones are left out; files are staged."""
    text = (
        "prompt,image_url,duration,cfg_scale,metadata.title,options.priority,id\r\n"
        '"two\nlines",cat.png,10,0.5,A,low,x1\r\n'
        "123,cat.png,,,,,\r\n"
    )
    found = read(text, "jobs.csv", endpoint=IMAGE)
    first, second = (draft.job for draft in found.drafts.values())
    ref = f"upload://{named(PNG)}"
    expected = {"prompt": "two\nlines", "image_url": ref, "duration": "10", "cfg_scale": 0.5}
    assert expected == first.arguments
    assert ("x1", {"title": "A"}, {"priority": "low"}) == (first.id, first.metadata, first.options)
    assert ({"prompt": "123", "image_url": ref}, {}) == (second.arguments, second.metadata)
    assert [2, 4] == list(found.drafts)


def test_a_row_with_too_many_cells(read: Read) -> None:
    """A comma too many would shift values into other inputs."""
    found = read("prompt,duration\na fox, red,5\n", "jobs.csv")
    assert "3 cells for 2 columns" in str(found.refused[2])


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_columns_are_parted_as_spreadsheets_do(read: Read, mark: str) -> None:
    """Where a comma is the decimal point they write semicolons; cells may hold the others."""
    text = f'prompt{mark}duration\n"one, two; three\tfour"{mark}10\n'
    found = read(text, "jobs.csv")
    assert {"prompt": "one, two; three\tfour", "duration": "10"} == found.drafts[2].job.arguments


def test_cells_as_spreadsheets_write_them(read: Read) -> None:
    """TRUE, numbers with a point, blanks around; words stay as they are."""
    model = Catalogue.load().find("fal-ai/kling-video/v2.6/pro/text-to-video")
    text = "prompt,duration,generate_audio,aspect_ratio,id\n TRUE , 10.0,TRUE, 9:16, x1\n"
    found = read(f"{text}b,5,False,,\n", "jobs.csv", endpoint=model.endpoint)
    first, second = (draft.job for draft in found.drafts.values())
    expected = {
        "prompt": " TRUE ",
        "duration": "10",
        "generate_audio": True,
        "aspect_ratio": "9:16",
    }
    assert (expected, "x1") == (first.arguments, first.id)
    assert {"prompt": "b", "duration": "5", "generate_audio": False} == second.arguments


def test_a_table_has_a_column_for_unchecked(read: Read) -> None:
    """As the lines of JSON have; what is neither true nor false is told."""
    found = read("prompt,endpoint,unchecked\n7,acme/x,TRUE\n7,,false\n7,,no\n", "jobs.csv")
    assert [("acme/x", "7"), (TEXT, "7")] == [
        (draft.job.endpoint, draft.job.arguments["prompt"]) for draft in found.drafts.values()
    ]
    assert {4: "unchecked (2 characters): must be true or false"} == {
        line: str(why) for line, why in found.refused.items()
    }


def test_a_cell_may_hold_a_picture(read: Read) -> None:
    """A data URI is longer than the csv module takes unasked."""
    picture = png(padding=200_000)
    uri = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    found = read(f'prompt,image_url\na,"{uri}"\n', "jobs.csv", endpoint=IMAGE)
    assert f"upload://{named(picture)}" == found.drafts[2].job.arguments["image_url"]


def test_spreadsheets_mark(read: Read) -> None:
    """A byte order mark, as spreadsheets write it, is not part of the first name."""
    found = read("prompt\nfox\n".encode("utf-8-sig"), "jobs.csv")
    assert {"prompt": "fox"} == found.drafts[2].job.arguments


def test_options_as_spreadsheets_write_them(read: Read) -> None:
    """TRUE is no text, a hint of digits no number, and a broken cell is told as what it is."""
    text = "prompt\toptions.no_retry\toptions.runner_hint\toptions.tags\n"
    text += f'a\tTRUE\t12345\t"{{""team"": ""films""}}"\na\tFALSE\t\t{"[" * 100_000}\n'
    found = read(text + 'a\t\t\t"{""a"": ""1"", ""a"": ""2""}"\n', "jobs.csv")
    expected = {"no_retry": True, "runner_hint": "12345", "tags": {"team": "films"}}
    assert expected == found.drafts[2].job.options
    assert "tags (" not in str(found.refused[3])
    assert "tags" in str(found.refused[3])
    assert "must be an object" in str(found.refused[3])
    twice = 'options.tags: is JSON with "a" twice in one object; remove one'
    assert twice == str(found.refused[4])


@pytest.mark.parametrize(
    ("before", "mark"),
    [
        ("\n", ","),
        ("\r\n  \r\n", ";"),
        (";;\n", ";"),
        ("sep=;\r\n", ";"),
        ("\nSEP=|\n\n", "|"),
        ('"sep=;"\n', ";"),
        ("sep=\t\n", "\t"),
    ],
)
def test_what_spreadsheets_write_before_the_table(read: Read, before: str, mark: str) -> None:
    """Blank lines, and one that says what parts the columns; lines count from the file's first."""
    found = read(f"{before}prompt{mark}duration\nfox{mark}10\n", "jobs.csv")
    line = before.count("\n") + 2
    assert {"prompt": "fox", "duration": "10"} == found.drafts[line].job.arguments
    with pytest.raises(UnreadableFile, match=f"line {line - 1}: every column needs its own name"):
        read(f"{before}prompt{mark}prompt\nfox{mark}10\n", "jobs.csv")


@pytest.mark.parametrize("text", ["\n\n", "sep=;", "sep=;\n\n", ",,\n"])
def test_a_table_of_nothing(read: Read, text: str) -> None:
    """It contains no jobs."""
    with pytest.raises(UnreadableFile, match="contains no jobs"):
        read(text, "jobs.csv")


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_row_that_is_cut_short(read: Read, end: str) -> None:
    """What a program that was killed left of its last row is no job; blank lines are none either.

    Its missing cells would have counted as empty, and the rest be paid for.
    """
    found = read(f"prompt,duration,aspect_ratio\na,5,\n , ,\n\na red fo{end}", "jobs.csv")
    assert [2] == list(found.drafts)
    assert {5: "has 1 of 3 cells"} == {
        line: str(why).partition(":")[0] for line, why in found.refused.items()
    }
