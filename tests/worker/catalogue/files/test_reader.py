"""A user's own files add endpoints; what is wrong in one is told by file, key, value and cure."""

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
    """A directory of the user's adds endpoints that use the families of ours."""
    (tmp_path / "own.toml").write_text(OWN)
    model = Catalogue.load(extra=tmp_path).find("acme/dolly/text-to-video")
    assert {"prompt": "a cat"} == model.check({"prompt": "a cat"})
    with pytest.raises(InvalidArguments, match="prompt"):
        model.check({"prompt": "a kitten"})
    assert InputType.NUMBER is next(item.kind for item in model.inputs if item.name == "cfg_scale")
    with pytest.raises(UnknownEndpoint):
        Catalogue.load().find("acme/dolly/text-to-video")


def broken(directory: Path, text: str, name: str = "own.toml") -> str:
    """What is said of a directory in which this file lies, behind the file's name."""
    file = directory / name
    file.write_text(text)
    with pytest.raises(BrokenCatalogue) as caught:
        Catalogue.load(extra=directory)
    told = str(caught.value)
    assert "\n" not in told
    assert told.startswith(str(file))
    return told.removeprefix(str(file))


MODEL = '[models."a/b"]\n'
PROMPT = MODEL + 'required = ["prompt"]\n'
PRICE = '[prices.mine]\nconfidence = "high"\nsource = "me"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            MODEL + 'famly = "text-to-video"',
            " is wrong at models.a/b.famly: there is no such key; did you mean family?",
        ),
        (
            "[modles]",
            " is wrong at modles: there is no such key; did you mean models?",
        ),
        (
            MODEL + 'family = "text-to-vidoe"',
            ": models.a/b names families.text-to-vidoe, which is not there; "
            "did you mean text-to-video?",
        ),
        (
            MODEL + 'required = ["promptt"]',
            ": models.a/b names fields.promptt, which is not there; did you mean prompt?",
        ),
        (
            PROMPT + "inputs.promt = { max_length = 5 }",
            ": models.a/b names inputs.promt, which is not there; did you mean prompt?",
        ),
        (
            PROMPT + 'example.promt = "a"',
            ": models.a/b names example.promt, which is not there; did you mean prompt?",
        ),
        (
            PROMPT + "inputs.prompt = { max_len = 5 }",
            ": models.a/b is wrong at inputs.prompt.max_len: there is no such key; "
            "did you mean max_length?",
        ),
        (
            PROMPT + 'inputs.prompt = { max_length = "many" }',
            ': models.a/b is wrong at inputs.prompt.max_length "many": Input should be a valid '
            "integer, unable to parse string as an integer",
        ),
        (
            PROMPT + 'rules = [{ exactly_one = ["promt"] }]',
            ": models.a/b names the input promt in a rule, which is not there; "
            "did you mean prompt?",
        ),
        (
            PROMPT + "rules = [{ exactly_one = [] }]",
            " is wrong at models.a/b.rules.0.exactly_one: Tuple should have at least 1 item "
            "after validation, not 0",
        ),
        (
            PROMPT + "rules = [{ at_most = -1, of = [] }]",
            " is wrong at models.a/b.rules.0.at_most -1: Input should be greater than or "
            "equal to 0",
        ),
        (
            PROMPT + 'rules = [{ just_one = ["prompt"] }]',
            " is wrong at models.a/b.rules.0: a rule has one of the keys exactly_one, needs, "
            "at_most, some_of",
        ),
        (
            PROMPT + 'rules = [{ at_most = 1, of = ["prompt"], wen = "x" }]',
            " is wrong at models.a/b.rules.0.wen: there is no such key",
        ),
        (
            '[types.A]\na = { type = "A" }\n[fields.x]\ntype = "A"\n'
            + MODEL + 'required = ["x"]',
            ': models.a/b holds types.A within itself; give it the type "any" there',
        ),
        (
            '[types.A]\nb = { type = "B" }\n[types.B]\na = { type = "A" }\n'
            + '[fields.x]\ntype = "A"\n' + MODEL + 'required = ["x"]',
            ': models.a/b holds types.A within itself; give it the type "any" there',
        ),
        (
            PRICE + 'per_second = "-1"',
            ' is wrong at prices.mine: per_second "-1" must be 0 or more',
        ),
        (
            PRICE + 'per_second = "1"\nsilent = "0"',
            ' is wrong at prices.mine: silent "0" must be above 0, or left out',
        ),
        (
            PRICE + 'per_second = "1"\nfirst = "-2"',
            ' is wrong at prices.mine: first "-2" must be above 0, or left out',
        ),
        (PRICE, " is wrong at prices.mine.per_second: is required"),
        (
            PRICE + 'per_second = "1"\nsilnt = "2"',
            " is wrong at prices.mine.silnt: there is no such key; did you mean silent?",
        ),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_by_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    """A misspelt key, a name that leads nowhere, a value out of range: one sentence each."""
    assert told == broken(tmp_path, text)


@pytest.mark.parametrize("name", ["own.toml", "own.json"])
def test_a_file_of_another_form_is_refused(tmp_path: Path, name: str) -> None:
    """By its name and the form that it should have."""
    form = name.rpartition(".")[2].upper()
    assert broken(tmp_path, "[models", name).startswith(f" cannot be read as {form}: ")


def test_what_nests_too_deeply_is_refused(tmp_path: Path) -> None:
    """It ends in a sentence as well."""
    told = broken(tmp_path, "[" * 100_000, "deep.json")
    assert " cannot be read as JSON: it nests too deeply" == told


def test_a_file_without_tables_is_refused(tmp_path: Path) -> None:
    """A list at the top of a JSON file."""
    assert broken(tmp_path, "[]", "own.json").startswith(" is wrong at its top: ")


@pytest.mark.parametrize("name", [".#own.toml", ".own.toml", ".hidden.json"])
def test_hidden_files_are_nobodys(tmp_path: Path, name: str) -> None:
    """Editors lay locks and copies beside the file that is being written."""
    (tmp_path / "own.toml").write_text(OWN)
    (tmp_path / name).symlink_to("somebody@somewhere.1234")
    assert Catalogue.load(extra=tmp_path).find("acme/dolly/text-to-video").inputs


def test_a_later_file_is_named_for_what_it_took_over(tmp_path: Path) -> None:
    """Of two entries of one name the later holds, and so does its file's name."""
    (tmp_path / "a.toml").write_text(PROMPT)
    (tmp_path / "b.json").write_text(json.dumps({"models": {"a/b": {"required": ["nothing"]}}}))
    with pytest.raises(BrokenCatalogue, match=r"b\.json: models\.a/b names fields\.nothing"):
        Catalogue.load(extra=tmp_path)
