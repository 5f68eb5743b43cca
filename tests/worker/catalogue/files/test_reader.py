"""A user's own files add endpoints; errors name file, key, value and correction."""

import json
from pathlib import Path

import pytest

from worker.catalogue.catalogue import Catalogue
from worker.catalogue.errors import BrokenCatalogue, InvalidArguments, UnknownEndpoint
from worker.catalogue.inputs import InputType

OWN = """
[models."acme/dolly/text-to-video"]
family = "text-to-video"
price = "v2-master"
inputs.prompt = { max_length = 5 }
"""


def test_a_users_own_endpoint_is_a_few_lines_of_data(tmp_path: Path) -> None:
    """Endpoints from a user's directory can use the packaged families."""
    (tmp_path / "own.toml").write_text(OWN)
    model = Catalogue.load(extra=tmp_path).find("acme/dolly/text-to-video")
    assert {"prompt": "a cat"} == model.check({"prompt": "a cat"})
    with pytest.raises(InvalidArguments, match="prompt"):
        model.check({"prompt": "a kitten"})
    assert InputType.NUMBER is next(item.kind for item in model.inputs if item.name == "cfg_scale")
    with pytest.raises(UnknownEndpoint):
        Catalogue.load().find("acme/dolly/text-to-video")


def broken(directory: Path, text: str, name: str = "own.toml") -> str:
    """Return the error for a directory with this file, without the file's name."""
    file = directory / name
    file.write_text(text)
    with pytest.raises(BrokenCatalogue) as caught:
        Catalogue.load(extra=directory)
    error = str(caught.value)
    assert "\n" not in error
    assert error.startswith(str(file))
    return error.removeprefix(str(file))


MODEL = '[models."a/b"]\n'
PROMPT = MODEL + 'required = ["prompt"]\n'
PRICE = '[prices.mine]\nconfidence = "high"\nsource = "me"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            MODEL + 'famly = "text-to-video"',
            " is invalid at models.a/b.famly: unknown key; did you mean family?",
        ),
        (
            "[modles]",
            " is invalid at modles: unknown key; did you mean models?",
        ),
        (
            MODEL + 'family = "text-to-vidoe"',
            ": models.a/b refers to families.text-to-vidoe, which does not exist; "
            "did you mean text-to-video?",
        ),
        (
            MODEL + 'required = ["promptt"]',
            ": models.a/b refers to fields.promptt, which does not exist; did you mean prompt?",
        ),
        (
            PROMPT + "inputs.promt = { max_length = 5 }",
            ": models.a/b refers to inputs.promt, which does not exist; did you mean prompt?",
        ),
        (
            PROMPT + 'example.promt = "a"',
            ": models.a/b refers to example.promt, which does not exist; did you mean prompt?",
        ),
        (
            PROMPT + "inputs.prompt = { max_len = 5 }",
            ": models.a/b is invalid at inputs.prompt.max_len: unknown key; "
            "did you mean max_length?",
        ),
        (
            PROMPT + 'inputs.prompt = { max_length = "many" }',
            ': models.a/b is invalid at inputs.prompt.max_length "many": must be a valid '
            "integer, unable to parse string as an integer",
        ),
        (
            PROMPT + 'rules = [{ exactly_one = ["promt"] }]',
            ": models.a/b refers to the input promt in a rule, which does not exist; "
            "did you mean prompt?",
        ),
        (
            PROMPT + "rules = [{ exactly_one = [] }]",
            " is invalid at models.a/b.rules.0.exactly_one: Tuple should have at least 1 item "
            "after validation, not 0",
        ),
        (
            PROMPT + "rules = [{ at_most = -1, of = [] }]",
            " is invalid at models.a/b.rules.0.at_most -1: must be greater than or "
            "equal to 0",
        ),
        (
            PROMPT + 'rules = [{ just_one = ["prompt"] }]',
            " is invalid at models.a/b.rules.0: must have one of the keys exactly_one, needs, "
            "at_most, some_of",
        ),
        (
            PROMPT + 'rules = [{ at_most = 1, of = ["prompt"], wen = "x" }]',
            " is invalid at models.a/b.rules.0.wen: unknown key",
        ),
        (
            '[types.A]\na = { type = "A" }\n[fields.x]\ntype = "A"\n'
            + MODEL + 'required = ["x"]',
            ': models.a/b nests types.A inside itself; use the type "any" there',
        ),
        (
            '[types.A]\nb = { type = "B" }\n[types.B]\na = { type = "A" }\n'
            + '[fields.x]\ntype = "A"\n' + MODEL + 'required = ["x"]',
            ': models.a/b nests types.A inside itself; use the type "any" there',
        ),
        (
            PRICE + 'per_second = "-1"',
            ' is invalid at prices.mine: per_second "-1" must be 0 or more',
        ),
        (
            PRICE + 'per_second = "1"\nsilent = "0"',
            ' is invalid at prices.mine: silent "0" must be above 0 or left out',
        ),
        (
            PRICE + 'per_second = "1"\nfirst = "-2"',
            ' is invalid at prices.mine: first "-2" must be above 0 or left out',
        ),
        (PRICE, " is invalid at prices.mine.per_second: is required"),
        (
            PRICE + 'per_second = "1"\nsilnt = "2"',
            " is invalid at prices.mine.silnt: unknown key; did you mean silent?",
        ),
    ],
)  # fmt: skip
def test_an_invalid_file_is_rejected_by_file_and_key(
    tmp_path: Path, text: str, expected: str
) -> None:
    """A misspelt key, a reference to nothing, a value out of range: one sentence each."""
    assert expected == broken(tmp_path, text)


@pytest.mark.parametrize("name", ["own.toml", "own.json"])
def test_a_file_with_a_syntax_error_is_rejected(tmp_path: Path, name: str) -> None:
    """The error names the file and its expected syntax."""
    syntax = name.rpartition(".")[2].upper()
    assert broken(tmp_path, "[models", name).startswith(f" cannot be read as {syntax}: ")


def test_a_file_that_is_nested_too_deeply_is_rejected(tmp_path: Path) -> None:
    """A RecursionError becomes a sentence as well."""
    error = broken(tmp_path, "[" * 100_000, "deep.json")
    assert " cannot be read as JSON: it is nested too deeply" == error


def test_a_file_without_tables_is_rejected(tmp_path: Path) -> None:
    """The top level of a JSON file must be an object."""
    assert broken(tmp_path, "[]", "own.json").startswith(" is invalid at the top level: ")


@pytest.mark.parametrize("name", [".#own.toml", ".own.toml", ".hidden.json"])
def test_hidden_files_are_ignored(tmp_path: Path, name: str) -> None:
    """Editors keep locks and copies next to the file being edited."""
    (tmp_path / "own.toml").write_text(OWN)
    (tmp_path / name).symlink_to("somebody@somewhere.1234")
    assert Catalogue.load(extra=tmp_path).find("acme/dolly/text-to-video").inputs


def test_an_error_names_the_file_whose_entry_won(tmp_path: Path) -> None:
    """Of two entries with one key the later wins, and errors name its file."""
    (tmp_path / "a.toml").write_text(PROMPT)
    (tmp_path / "b.json").write_text(json.dumps({"models": {"a/b": {"required": ["nothing"]}}}))
    with pytest.raises(BrokenCatalogue, match=r"b\.json: models\.a/b refers to fields\.nothing"):
        Catalogue.load(extra=tmp_path)
