"""Nothing that a job or a file of jobs holds steers the terminal of `falhook submit`."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.factories.batches import TEXT
from worker.cli.main import cli

# Sets a title, colours what follows, deletes: as ESC, as the single character of C1, as DEL.
EVIL = "\x1b]0;PWNED\x07\x9b31m\x7f"
AS_JSON = json.dumps(EVIL)
UNCHECKED = ["acme/x", "--unchecked"]


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of its own and an empty Redis."""
    monkeypatch.chdir(tmp_path)
    for name in ("REDIS_URL", "FALHOOK_BROKER_URL"):
        monkeypatch.setenv(name, redis_url)
    monkeypatch.setenv("FALHOOK_STORAGE_URL", str(tmp_path / "storage"))
    monkeypatch.setenv("FALHOOK_CATALOGUE", "")


def control(*arguments: str) -> set[str]:
    """The control characters that a submit writes, as a terminal would get them."""
    words = ["submit", *arguments]
    # Without colours click leaves out some of what steers a terminal.
    done = CliRunner().invoke(cli, words, color=True, prog_name="falhook", catch_exceptions=False)
    assert done.exit_code in {0, 2}
    written = done.stdout + done.stderr
    # Of a job that was made, its id and its cost are told.
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
def test_what_is_given(arguments: list[str], more: list[str]) -> None:
    """Refused or shown, as a sentence or as JSON."""
    assert set() == control(*arguments, *more)


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--json"], ["--dry-run", "--json"]])
@pytest.mark.parametrize(
    "arguments",
    [
        [*UNCHECKED, f"{EVIL}={EVIL}"],
        [*UNCHECKED, "--arguments", f"{{{AS_JSON}: [{{{AS_JSON}: {AS_JSON}}}]}}"],
    ],
)
def test_what_is_sent(arguments: list[str], more: list[str]) -> None:
    """A request is shown as it would go out, in the escapes that JSON has anyway."""
    assert set() == control(*arguments, *more)


def one(**row: Any) -> str:
    """A line of a file of jobs."""
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
def test_what_a_file_holds(tmp_path: Path, name: str, text: str, more: list[str]) -> None:
    """In its name, its keys, its columns, its values."""
    (tmp_path / name).write_text(text)
    assert set() == control("--from", name, TEXT, *more)
