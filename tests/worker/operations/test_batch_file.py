"""A CSV of jobs is read as spreadsheets write it."""

import base64
from pathlib import Path

import pytest

from tests.factories.batches import IMAGE, TEXT, Read, reader
from tests.factories.input_files import PNG, named, png
from worker.catalogue.catalogue import Catalogue
from worker.operations.batch_file import UnreadableFile


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a file with this name and read it."""
    return reader(tmp_path)


def test_cells_have_the_types_of_the_endpoint(read: Read) -> None:
    """Text cells stay text, others are JSON, empty ones are left out, files are staged."""
    text = (
        "prompt,image_url,duration,cfg_scale,metadata.title,options.priority,id\r\n"
        '"two\nlines",cat.png,10,0.5,A,low,x1\r\n'
        "123,cat.png,,,,,\r\n"
    )
    batch = read(text, "jobs.csv", endpoint=IMAGE)
    first, second = (draft.job for draft in batch.drafts.values())
    ref = f"upload://{named(PNG)}"
    expected = {"prompt": "two\nlines", "image_url": ref, "duration": "10", "cfg_scale": 0.5}
    assert expected == first.arguments
    assert ("x1", {"title": "A"}, {"priority": "low"}) == (first.id, first.metadata, first.options)
    assert ({"prompt": "123", "image_url": ref}, {}) == (second.arguments, second.metadata)
    assert [2, 4] == list(batch.drafts)


def test_a_row_with_too_many_cells(read: Read) -> None:
    """An extra comma is an error, since it would shift values into other inputs."""
    batch = read("prompt,duration\na fox, red,5\n", "jobs.csv")
    assert "3 cells for 2 columns" in str(batch.refused[2])


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_columns_are_separated_as_spreadsheets_do(read: Read, mark: str) -> None:
    """Commas, semicolons and tabs separate columns; quoted cells may contain the others."""
    text = f'prompt{mark}duration\n"one, two; three\tfour"{mark}10\n'
    batch = read(text, "jobs.csv")
    assert {"prompt": "one, two; three\tfour", "duration": "10"} == batch.drafts[2].job.arguments


@pytest.mark.parametrize("mark", [",", ";"])
def test_empty_columns_at_the_end(read: Read, mark: str) -> None:
    """Spreadsheets write columns that once had contents; they count for nothing."""
    batch = read(f"prompt{mark}duration{mark}{mark} \na fox{mark}10{mark}{mark}\n", "jobs.csv")
    assert {"prompt": "a fox", "duration": "10"} == batch.drafts[2].job.arguments


def test_decimal_commas(read: Read) -> None:
    """Where semicolons separate, 0,5 is half; a text with a comma stays a text."""
    batch = read("prompt;cfg_scale\n1,5;0,5\n", "jobs.csv")
    assert {"prompt": "1,5", "cfg_scale": 0.5} == batch.drafts[2].job.arguments


def test_a_row_that_is_cut_short_before_empty_columns(read: Read) -> None:
    """All columns count, also empty ones: the last input may be cut."""
    [problem] = read("prompt,duration,,\na fox,1", "jobs.csv").refused.values()
    assert "2 of 4 cells" in str(problem)


def test_cells_as_spreadsheets_write_them(read: Read) -> None:
    """TRUE, decimal numbers and blanks are converted; prose is unchanged."""
    model = Catalogue.load().find("fal-ai/kling-video/v2.6/pro/text-to-video")
    text = "prompt,duration,generate_audio,aspect_ratio,id\n TRUE , 10.0,TRUE, 9:16, x1\n"
    batch = read(f"{text}b,5,False,,\n", "jobs.csv", endpoint=model.endpoint)
    first, second = (draft.job for draft in batch.drafts.values())
    expected = {
        "prompt": " TRUE ",
        "duration": "10",
        "generate_audio": True,
        "aspect_ratio": "9:16",
    }
    assert (expected, "x1") == (first.arguments, first.id)
    assert {"prompt": "b", "duration": "5", "generate_audio": False} == second.arguments


def test_a_table_has_a_column_for_unchecked(read: Read) -> None:
    """A cell turns validation off, and one that is neither true nor false is an error."""
    batch = read("prompt,endpoint,unchecked\n7,acme/x,TRUE\n7,,false\n7,,no\n", "jobs.csv")
    assert [("acme/x", "7"), (TEXT, "7")] == [
        (draft.job.endpoint, draft.job.arguments["prompt"]) for draft in batch.drafts.values()
    ]
    assert {4: "unchecked (2 characters): must be true or false"} == {
        line: str(why) for line, why in batch.refused.items()
    }


def test_a_cell_may_contain_a_picture(read: Read) -> None:
    """A data URI may be longer than the csv module's default limit."""
    picture = png(padding=200_000)
    uri = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    batch = read(f'prompt,image_url\na,"{uri}"\n', "jobs.csv", endpoint=IMAGE)
    assert f"upload://{named(picture)}" == batch.drafts[2].job.arguments["image_url"]


def test_a_byte_order_mark_is_ignored(read: Read) -> None:
    """The byte order mark that spreadsheets write is not part of the first name."""
    batch = read("prompt\nfox\n".encode("utf-8-sig"), "jobs.csv")
    assert {"prompt": "fox"} == batch.drafts[2].job.arguments


def test_options_as_spreadsheets_write_them(read: Read) -> None:
    """Cells get the types of the options, and a broken cell is reported precisely."""
    text = "prompt\toptions.no_retry\toptions.runner_hint\toptions.tags\n"
    text += f'a\tTRUE\t12345\t"{{""team"": ""films""}}"\na\tFALSE\t\t{"[" * 100_000}\n'
    batch = read(text + 'a\t\t\t"{""a"": ""1"", ""a"": ""2""}"\n', "jobs.csv")
    expected = {"no_retry": True, "runner_hint": "12345", "tags": {"team": "films"}}
    assert expected == batch.drafts[2].job.options
    assert "tags (" not in str(batch.refused[3])
    assert "tags" in str(batch.refused[3])
    assert "must be an object" in str(batch.refused[3])
    twice = 'options.tags: is JSON with "a" twice in one object; remove one'
    assert twice == str(batch.refused[4])


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
def test_lines_before_the_table(read: Read, before: str, mark: str) -> None:
    """Blank lines and sep=… are skipped; line numbers count from the file's first line."""
    batch = read(f"{before}prompt{mark}duration\nfox{mark}10\n", "jobs.csv")
    line = before.count("\n") + 2
    assert {"prompt": "fox", "duration": "10"} == batch.drafts[line].job.arguments
    with pytest.raises(UnreadableFile, match=f"line {line - 1}: every column needs its own name"):
        read(f"{before}prompt{mark}prompt\nfox{mark}10\n", "jobs.csv")


@pytest.mark.parametrize("text", ["\n\n", "sep=;", "sep=;\n\n", ",,\n"])
def test_an_empty_table(read: Read, text: str) -> None:
    """A table without rows is an error."""
    with pytest.raises(UnreadableFile, match="contains no jobs"):
        read(text, "jobs.csv")


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_row_that_is_cut_short(read: Read, end: str) -> None:
    """The last row of a file that was cut off is an error; blank lines are skipped.

    Its missing cells would otherwise count as empty, and the job be paid for.
    """
    batch = read(f"prompt,duration,aspect_ratio\na,5,\n , ,\n\na red fo{end}", "jobs.csv")
    assert [2] == list(batch.drafts)
    assert {5: "has 1 of 3 cells"} == {
        line: str(why).partition(":")[0] for line, why in batch.refused.items()
    }
