"""Each endpoint's description has a file of its own, whatever the id is."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.openapi import DOCUMENT, ENDPOINT
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import ENDPOINT as ID
from worker.cli.main import cli
from worker.cli.models.added_files import file_of

DASHED, SLASHED = "acme/dolly--video", ENDPOINT
IDS = st.from_regex(
    r"[ab](-{0,3}[ab]-{0,3}){0,2}(/[ab](-{0,3}[ab]-{0,3}){0,2}){1,3}", fullmatch=True
)


def add(directory: Path, endpoint: str) -> Result:
    """Runs `falhook models add` with a description of that endpoint."""
    source = directory.parent / "described.json"
    source.write_text(json.dumps(DOCUMENT).replace(ENDPOINT, endpoint))
    environ = {"FALHOOK_CATALOGUE": str(directory), "REDIS_URL": None}
    command = ["models", "add", endpoint, "--from", str(source)]
    return CliRunner(env=environ).invoke(cli, command, catch_exceptions=False)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A catalogue of the user's own, empty at first."""
    directory = tmp_path / "own"
    directory.mkdir()
    return directory


@given(st.lists(IDS, min_size=2, max_size=8, unique=True))
def test_no_two_ids_share_a_file(ids: list[str]) -> None:
    """However many dashes they hold."""
    assert all(ID.fullmatch(one) for one in ids)
    assert len(ids) == len({file_of(Path("own"), one) for one in ids})


@pytest.mark.parametrize("order", [[DASHED, SLASHED], [SLASHED, DASHED]])
def test_ids_that_differ_in_a_dash_are_both_kept(own: Path, order: list[str]) -> None:
    """In whichever order they are added."""
    for endpoint in order:
        assert 0 == add(own, endpoint).exit_code
    names = {"acme%2Fdolly--video.json", "acme--dolly--video.json"}
    assert names == {file.name for file in own.iterdir()}
    for endpoint in order:
        assert Catalogue.load(own).find(endpoint).inputs


@pytest.mark.parametrize("added", [DASHED, SLASHED])
def test_a_file_with_an_older_name_goes_on(own: Path, added: str) -> None:
    """It is read, replaced by a newer description of its endpoint, and lost to no other one."""
    add(own, DASHED)
    older = own / "acme--dolly--video.json"
    (own / "acme%2Fdolly--video.json").replace(older)
    assert Catalogue.load(own).find(DASHED).inputs
    done = add(own, added)
    assert 0 == done.exit_code, done.stderr
    assert Catalogue.load(own).find(DASHED).inputs
    assert Catalogue.load(own).find(added).inputs
    held = [list(json.loads(file.read_text())["models"]) for file in own.iterdir()]
    assert sorted([[endpoint] for endpoint in {DASHED, added}]) == sorted(held)


@pytest.mark.parametrize(
    ("models", "holds"),
    [
        (["acme/a", "acme/b"], "acme/a, acme/b"),
        ([ENDPOINT, "acme/b"], "acme/b"),
        ([], "no endpoint"),
    ],
)
def test_what_somebody_else_put_there_is_not_lost(own: Path, models: list[str], holds: str) -> None:
    """A file with more in it than one description stays as it is, and is named."""
    file = own / "acme--dolly--video.json"
    file.write_text(json.dumps({"models": {one: {} for one in models}}))
    before = file.read_bytes()
    done = add(own, ENDPOINT)
    assert (2, before) == (done.exit_code, file.read_bytes())
    assert f"{holds}: move your own entries to a file of another name" in done.stderr
