"""Nothing in a job or a file of jobs can control the terminal of `falhook submit`."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.factories.batches import TEXT
from tests.factories.cli import submit_environment
from worker.cli.main import cli

# Sets a title with ESC, a colour with C1's single character, and deletes with DEL.
EVIL = "\x1b]0;PWNED\x07\x9b31m\x7f"
AS_JSON = json.dumps(EVIL)
UNCHECKED = ["acme/x", "--unchecked"]


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own working directory and an empty Redis."""
    monkeypatch.chdir(tmp_path)
    for name, value in submit_environment(redis_url, tmp_path / "storage").items():
        monkeypatch.setenv(name, value)


def control(*arguments: str) -> set[str]:
    """Return the control characters that a submit writes to a terminal."""
    words = ["submit", *arguments]
    # Without colours click removes some escape sequences itself.
    done = CliRunner().invoke(cli, words, color=True, prog_name="falhook", catch_exceptions=False)
    assert done.exit_code in {0, 2}
    written = done.stdout + done.stderr
    # A created job prints its id and cost only.
    assert done.exit_code == 0 or "PWNED" in written
    return {c for c in written if unicodedata.category(c) in {"Cc", "Cs"}} - {"\n"}


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--json"], ["--dry-run", "--json"]])
@pytest.mark.parametrize(
    "arguments",
    [
        [EVIL],
        [EVIL, "--unchecked"],
        [TEXT, EVIL],
        [TEXT, f"{EVIL}=1"],
        [TEXT, f"{EVIL}=1", f"{EVIL}=2"],
        [TEXT, "--prompt", "a", f"duration={EVIL}"],
        [TEXT, "--prompt", "a", "--id", EVIL],
        [TEXT, "--prompt", "a", "--metadata", EVIL],
        [TEXT, "--prompt", "a", "--metadata", f"{EVIL}=1", "--metadata", f"{EVIL}=1"],
        [TEXT, "--prompt", "a", "--metadata", f"falhook.profile={EVIL}"],
        [TEXT, "--prompt", "a", "--tag", f"{EVIL}=1"],
        [TEXT, "--prompt", "a", "--tag", f"a={EVIL}"],
        [TEXT, "--prompt", "a", "--runner-hint", EVIL],
        [TEXT, "--prompt", "a", "--object-lifetime", EVIL],
        [TEXT, "--prompt", "a", "--options", f"{{{AS_JSON}: 1}}"],
        [TEXT, "--prompt", "a", "--options", f'{{"tags": {{{AS_JSON}: 1}}}}'],
        [TEXT, "--prompt", "a", "--options", f"{{{AS_JSON}: 1, {AS_JSON}: 1}}"],
        [TEXT, "--prompt", "a", "--options", f"@{EVIL}"],
        [TEXT, "--arguments", f"{{{AS_JSON}: 1}}"],
        [TEXT, "--arguments", f"{{{AS_JSON}: 1, {AS_JSON}: 1}}"],
        [TEXT.replace("text", "image", 1), "--prompt", "a", "--image", EVIL],
        [*UNCHECKED, f"{EVIL}=file:{EVIL}"],
        [*UNCHECKED, "--image", EVIL],
        [*UNCHECKED, "--arguments", f'{{"a": [{{{AS_JSON}: "file:x"}}]}}'],
        ["--from", f"{EVIL}.csv"],
        ["--from", EVIL],
    ],
)
def test_arguments_of_the_command_line(arguments: list[str], more: list[str]) -> None:
    """Arguments are escaped in sentences and in JSON."""
    assert set() == control(*arguments, *more)


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--json"], ["--dry-run", "--json"]])
@pytest.mark.parametrize(
    "arguments",
    [
        [*UNCHECKED, f"{EVIL}={EVIL}"],
        [*UNCHECKED, "--arguments", f"{{{AS_JSON}: [{{{AS_JSON}: {AS_JSON}}}]}}"],
    ],
)
def test_a_request_that_is_sent(arguments: list[str], more: list[str]) -> None:
    """A request is shown with JSON's own escapes."""
    assert set() == control(*arguments, *more)


def one(**row: Any) -> str:
    """Return a line of a file of jobs."""
    return json.dumps({"arguments": {"prompt": "a"}, **row})


@pytest.mark.parametrize("more", [["--yes"], ["--dry-run"], ["--yes", "--json"]])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("jobs.jsonl", one(**{EVIL: 1})),
        ("jobs.jsonl", json.dumps({EVIL: 1})),
        ("jobs.jsonl", one(arguments={EVIL: EVIL})),
        ("jobs.jsonl", one(arguments={EVIL: [{EVIL: "file:x"}]}, unchecked=True, endpoint="a/x")),
        ("jobs.jsonl", one(metadata={"falhook.profile": EVIL})),
        ("jobs.jsonl", one(options={EVIL: EVIL})),
        ("jobs.jsonl", one(options={"tags": {EVIL: EVIL}})),
        ("jobs.jsonl", one(id=EVIL)),
        ("jobs.jsonl", one(endpoint=EVIL)),
        ("jobs.jsonl", one(endpoint=EVIL, unchecked=True)),
        ("jobs.jsonl", f"{{{AS_JSON}: 1, {AS_JSON}: 1}}"),
        (f"{EVIL}.jsonl", "{"),
        (f"{EVIL}.jsonl", ""),
        ("jobs.csv", f"prompt,{EVIL}\na,{EVIL}\n"),
        ("jobs.csv", f"prompt,options.{EVIL}\na,{EVIL}\n"),
        ("jobs.csv", f"prompt,options.runner_hint\na,{EVIL}\n"),
        ("jobs.csv", f'prompt,options.tags\na,"{{""{EVIL}"": 1}}"\n'),
    ],
)
def test_content_of_a_file(tmp_path: Path, name: str, text: str, more: list[str]) -> None:
    """The name, keys, columns and values of a file are escaped."""
    (tmp_path / name).write_text(text)
    assert set() == control("--from", name, TEXT, *more)
