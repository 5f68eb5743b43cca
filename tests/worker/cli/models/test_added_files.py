"""Each endpoint's description has its own file, whatever its id is."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
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
    """Run `falhook models add` with a description of this endpoint."""
    source = directory.parent / "described.json"
    source.write_text(json.dumps(DOCUMENT).replace(ENDPOINT, endpoint))
    environ = {"FALHOOK_CATALOGUE": str(directory), "REDIS_URL": None}
    command = ["models", "add", endpoint, "--from", str(source)]
    return CliRunner(env=environ).invoke(cli, command, catch_exceptions=False)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The user's own catalogue, empty at first."""
    directory = tmp_path / "own"
    directory.mkdir()
    return directory


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(IDS, min_size=2, max_size=8, unique=True))
def test_no_two_ids_share_a_file(ids: list[str]) -> None:
    """Two ids have two files, however many dashes they contain."""
    assert all(ID.fullmatch(endpoint) for endpoint in ids)
    assert len(ids) == len({file_of(Path("own"), endpoint) for endpoint in ids})


@pytest.mark.parametrize("order", [[DASHED, SLASHED], [SLASHED, DASHED]])
def test_ids_that_differ_in_a_dash_are_both_kept(own: Path, order: list[str]) -> None:
    """Both descriptions are kept, in whichever order they are added."""
    for endpoint in order:
        assert 0 == add(own, endpoint).exit_code
    names = {"acme%2Fdolly--video.json", "acme--dolly--video.json"}
    assert names == {file.name for file in own.iterdir()}
    for endpoint in order:
        assert Catalogue.load(own).find(endpoint).inputs


@pytest.mark.parametrize("added", [DASHED, SLASHED])
def test_a_file_with_an_older_name_stays_in_force(own: Path, added: str) -> None:
    """It is read, replaced by a newer description of its endpoint, and kept from any other."""
    add(own, DASHED)
    older = own / "acme--dolly--video.json"
    (own / "acme%2Fdolly--video.json").replace(older)
    assert Catalogue.load(own).find(DASHED).inputs
    done = add(own, added)
    assert 0 == done.exit_code, done.stderr
    assert Catalogue.load(own).find(DASHED).inputs
    assert Catalogue.load(own).find(added).inputs
    described = [list(json.loads(file.read_text())["models"]) for file in own.iterdir()]
    assert sorted([[endpoint] for endpoint in {DASHED, added}]) == sorted(described)


@pytest.mark.parametrize(
    ("models", "holds"),
    [
        (["acme/a", "acme/b"], "acme/a, acme/b"),
        ([ENDPOINT, "acme/b"], "acme/b"),
        ([], "no endpoint"),
    ],
)
def test_a_file_with_other_content_is_not_overwritten(
    own: Path, models: list[str], holds: str
) -> None:
    """A file with more than one description is unchanged, and the error names it."""
    file = own / "acme--dolly--video.json"
    file.write_text(json.dumps({"models": {endpoint: {} for endpoint in models}}))
    before = file.read_bytes()
    done = add(own, ENDPOINT)
    assert (2, before) == (done.exit_code, file.read_bytes())
    assert f"{holds}: move your own entries to a file of another name" in done.stderr
