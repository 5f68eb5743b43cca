"""Settings that are read or listed without the classes that declare them."""

from pathlib import Path

import pytest

from webhook.settings.errors import SettingsError
from worker.settings.catalogue import CatalogueSettings
from worker.settings.catalogue_directory import read_catalogue_directory
from worker.settings.listed import declared, listed


def test_the_list_has_every_setting_as_it_is_declared() -> None:
    """Name, default, requirement and description come from the classes, in the same order."""
    assert declared() == listed()


def test_the_catalogues_directory_is_read_as_the_settings_read_it(tmp_path: Path) -> None:
    """A directory, surrounding space, an empty value and none at all mean the same to both."""
    for environ in ({}, {"FALHOOK_CATALOGUE": " "}, {"FALHOOK_CATALOGUE": f" {tmp_path} "}):
        expected = CatalogueSettings.from_env(environ).catalogue
        assert expected == read_catalogue_directory(environ)


def test_a_directory_that_is_missing_has_the_same_sentence(tmp_path: Path) -> None:
    """The sentence names the setting, its value and the cure."""
    environ = {"FALHOOK_CATALOGUE": str(tmp_path / "missing")}
    with pytest.raises(SettingsError) as expected:
        CatalogueSettings.from_env(environ)
    with pytest.raises(SettingsError) as raised:
        read_catalogue_directory(environ)
    assert expected.value.problems == raised.value.problems
