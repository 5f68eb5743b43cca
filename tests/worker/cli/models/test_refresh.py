"""`falhook models refresh` against the simulated fal, over TLS."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.factories.catalogue import KLING
from tests.factories.cli import Run
from tests.factories.simulated_fal import FalOverHttp, fal_running
from worker.catalogue.unit_prices import FILE_NAME

TURBO = f"{KLING}/v3/turbo/pro/text-to-video"
MASTER = f"{KLING}/v2/master/text-to-video"
SOUND = f"{KLING}/v3/pro/text-to-video"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FalOverHttp]:
    with fal_running(tmp_path_factory.getbasetemp() / "refresh") as running:
        yield running


@pytest.fixture
def fal(simulated: FalOverHttp) -> FalOverHttp:
    """The simulated fal with its first prices."""
    simulated.http.post("/_sim/reset").raise_for_status()
    return simulated


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The user's own catalogue."""
    directory = tmp_path / "own"
    directory.mkdir()
    return directory


def _refresh(run: Run, fal: FalOverHttp, own: Path, *flags: str, **changes: str) -> Result:
    environ = {**fal.environment, "FALHOOK_CATALOGUE": str(own), **changes}
    return run("models", "refresh", *flags, **environ)


def _set(fal: FalOverHttp, **values: Any) -> None:
    fal.http.post("/_sim/prices", params=values).raise_for_status()


def _estimate(run: Run, own: Path, endpoint: str) -> str:
    done = run(
        "submit", endpoint, "prompt=a fox", "--dry-run", FALHOOK_CATALOGUE=str(own), REDIS_URL=None
    )
    assert 0 == done.exit_code, done.stderr
    return done.stdout + done.stderr


def test_estimates_use_fals_prices(run: Run, fal: FalOverHttp, own: Path) -> None:
    """A single rate is replaced, with its day and source; all endpoints take two requests."""
    _set(fal, endpoint_id=TURBO, unit_price="0.2")
    done = _refresh(run, fal, own)
    assert 0 == done.exit_code, done.stderr
    assert "used for estimates" in done.stdout
    assert [own / FILE_NAME] == list(own.iterdir())
    assert "about $1.0" in _estimate(run, own, TURBO)
    assert "/v1/models/pricing of 20" in _estimate(run, own, TURBO)
    assert 2 == fal.counts()["total"]["pricing"]


def test_machines_get_every_price_and_its_use(run: Run, fal: FalOverHttp, own: Path) -> None:
    """Prices are applied, confirmed, different or unusable; endpoints without one are named."""
    _set(fal, endpoint_id=TURBO, unit_price="1", unit="units")
    _set(fal, endpoint_id=SOUND, unit_price="9.5")
    output = json.loads(_refresh(run, fal, own, "--json").stdout)
    row = {"endpoint": TURBO, "unit_price": "1.0", "unit": "units", "currency": "USD"}
    assert row in output["unusable"]
    assert SOUND in [price["endpoint"] for price in output["different"]]
    assert MASTER in [price["endpoint"] for price in output["confirmed"]]
    assert (str(own / FILE_NAME), []) == (output["file"], output["not_listed"])
    assert "$0.14/s" in _estimate(run, own, TURBO)


def test_an_endpoint_without_a_price_does_not_hide_the_others(
    run: Run, fal: FalOverHttp, own: Path
) -> None:
    """fal answers 404 for a request with one unknown endpoint; it is asked in halves."""
    (own / "mine.toml").write_text('[models."acme/mine"]\nstatus = "announced"\n')
    done = _refresh(run, fal, own)
    assert 0 == done.exit_code, done.stderr
    assert "Not listed by fal: acme/mine\n" in done.stdout
    prices = json.loads((own / FILE_NAME).read_text())["fal_prices"]
    assert (True, False) == (TURBO in prices, "acme/mine" in prices)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"status": "503"}, "fal answered 503: try again later"),
        ({"status": "429"}, "fal answered 429"),
        ({"status": "418"}, "fal answered 418 to a request for prices"),
        ({"text": "{"}, "fal's answer is not JSON"),
        ({"text": "[]"}, "fal's answer has no list of prices"),
        ({"text": '{"prices": [{"unit_price": "1"}]}'}, "a price in an unknown form"),
        ({"text": '{"prices": [{"endpoint_id": "a", "unit_price": NaN, "unit": "s", "currency":'
                  ' "USD"}]}'}, "a price in an unknown form"),
        ({"FAL_KEY": "no:pe"}, "fal answered 401: FAL_KEY may not read prices"),
        ({"FALHOOK_FAL_API_HOST": "127.0.0.1:1"}, "127.0.0.1:1 cannot be reached (Connect"),
        ({"FALHOOK_CATALOGUE": ""}, "FALHOOK_CATALOGUE is not set"),
    ],
)  # fmt: skip
def test_a_failure_leaves_the_prices_as_they_are(
    run: Run, fal: FalOverHttp, own: Path, fault: dict[str, str], sentence: str
) -> None:
    """The sentence has the reason, and the file of an earlier day stays."""
    _refresh(run, fal, own)
    before = (own / FILE_NAME).read_bytes()
    changes = {name: value for name, value in fault.items() if name.isupper()}
    _set(fal, **{name: value for name, value in fault.items() if name not in changes})
    done = _refresh(run, fal, own, **changes)
    assert 2 == done.exit_code
    assert sentence in done.stderr
    assert before == (own / FILE_NAME).read_bytes()
    assert [own / FILE_NAME] == list(own.iterdir())
