"""Settings from the environment, and the errors if they are wrong."""

from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, Field, SecretStr

from tests.factories.callbacks import receiver_settings
from webhook.settings.environment import Environment, separated
from webhook.settings.errors import SettingsError


def longer(_value: SecretStr) -> SecretStr:
    raise ValueError("must be longer")


class Oven(Environment):
    """A group of settings for these tests."""

    heat: int = Field(alias="OVEN_HEAT", gt=0, description="Degrees.")
    dish: str = Field(alias="OVEN_DISH", description="What is in it.")
    light: str = Field(default="on", alias="OVEN_LIGHT", description="on or off.")
    mode: Literal["air", "steam"] = Field(default="air", alias="OVEN_MODE", description="How.")
    key: Annotated[SecretStr, AfterValidator(longer)] = Field(
        default=SecretStr(""), alias="OVEN_KEY", description="Opens it."
    )


def problems(**environ: str) -> tuple[str, ...]:
    """Return the problems of this environment."""
    with pytest.raises(SettingsError) as error:
        Oven.from_env(environ)
    return error.value.problems


def test_values_come_from_their_variables() -> None:
    """Each field has the value of its variable, or its default."""
    oven = Oven.from_env({"OVEN_HEAT": " 180 ", "OVEN_DISH": "pie", "OTHER": "x"})
    assert (180, "pie", "on") == (oven.heat, oven.dish, oven.light)


def test_each_missing_setting_gets_its_own_sentence() -> None:
    """All missing settings are reported together, each with its description."""
    expected = ("OVEN_HEAT is not set. Degrees.", "OVEN_DISH is not set. What is in it.")
    assert expected == problems()


@pytest.mark.parametrize("blank", ["", "  "])
def test_an_empty_value_counts_as_not_set(blank: str) -> None:
    """`NAME=` in an env file is not a value."""
    assert "on" == Oven.from_env({"OVEN_HEAT": "1", "OVEN_DISH": "x", "OVEN_LIGHT": blank}).light
    assert ("OVEN_DISH is not set. What is in it.",) == problems(OVEN_HEAT="1", OVEN_DISH=blank)


def test_a_wrong_value_is_reported_with_the_allowed_ones() -> None:
    """The error has name, value, what is allowed, and description."""
    assert ("OVEN_HEAT '-1' must be greater than 0. Degrees.",) == problems(
        OVEN_HEAT="-1", OVEN_DISH="pie"
    )
    wrong = problems(OVEN_HEAT="1", OVEN_DISH="pie", OVEN_MODE="grill")
    assert ("OVEN_MODE 'grill' must be 'air' or 'steam'. How.",) == wrong


def test_a_long_value_is_shortened() -> None:
    """A whole file as a value does not fill the screen."""
    [sentence] = problems(OVEN_HEAT="x" * 5_000, OVEN_DISH="pie")
    assert len(sentence) < 300


@pytest.mark.parametrize(
    "value",
    [
        "redis://:hunter2@host:1/0",
        "redis://me:hun/hunter2@host:1",
        "https://a/b?password=hunter2",
        "https://hunter2@host",
    ],
)
def test_credentials_in_a_value_are_not_repeated(value: str) -> None:
    """User, password and query of a URL are left out."""
    [sentence] = problems(OVEN_HEAT=value, OVEN_DISH="pie")
    assert sentence.startswith("OVEN_HEAT ")
    assert "hunter2" not in sentence


def test_a_secret_is_not_repeated() -> None:
    """The error has only name, problem and description."""
    [sentence] = problems(OVEN_HEAT="1", OVEN_DISH="pie", OVEN_KEY="hunter2")
    assert "OVEN_KEY must be longer. Opens it." == sentence


def test_settings_cannot_be_changed_afterwards() -> None:
    """A setting cannot be assigned."""
    oven = Oven.from_env({"OVEN_HEAT": "1", "OVEN_DISH": "pie"})
    with pytest.raises(ValueError, match="frozen"):
        oven.heat = 2


def test_separated_drops_space_and_empty_entries() -> None:
    """Comma-separated values may be written with spaces and trailing commas."""
    assert ("a", "b c") == separated(" a, b c ,,")
    assert () == separated(" , ")


@pytest.mark.parametrize("value", ["0", "-1", "10000", "many", "1.5"])
def test_a_wrong_number_of_processes_is_refused(value: str) -> None:
    """The sentence has the setting, its value and the numbers that are allowed."""
    with pytest.raises(SettingsError) as error:
        receiver_settings("redis://localhost/0", "https://fal.example/", WEB_CONCURRENCY=value)
    [sentence] = error.value.problems
    assert sentence.startswith(f"WEB_CONCURRENCY '{value}' must be ")
    assert "from 1 to 64" in sentence
