"""Variables of other Celery applications do not change falhook's broker."""

import pytest

from webhook.celery_variables import VARIABLES
from webhook.contract import celery_app


@pytest.mark.parametrize("name", VARIABLES)
def test_a_foreign_variable_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading and writing connections, and the loader, stay falhook's own."""
    monkeypatch.setenv(name, "redis://elsewhere:1/5")
    with celery_app("redis://here:2/0", redis={}) as app:
        for connection in (app.connection_for_read(), app.connection_for_write()):
            assert "falhook+redis://here:2/0" == connection.as_uri()
        assert "celery.loaders.app" == app.loader.__module__
        assert not app.conf.result_backend
