"""`falhook submit --from`: files of jobs are validated, priced, and created once."""

import itertools
import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

from tests.factories.batches import IMAGE, TEXT
from tests.factories.cli import FOX, Run, error_of, jobs, refused
from tests.factories.input_files import png
from tests.factories.listed import jobs_of
from worker.cli.submit import batch, batch_report
from worker.jobs.store import JobStore
from worker.operations.create import Created, JobCreator
from worker.operations.request import DraftJob


def test_a_file_is_validated_before_its_first_job(run: Run, home: Path, records: JobStore) -> None:
    """With one invalid line no job is created, and the error has its number."""
    path = jobs(home, "a", "b", "")
    stderr = refused(run, "--from", str(path), "--yes")
    assert "1 row is invalid; no job was created" in stderr
    assert "line 3: " in stderr
    assert [] == list(jobs_of(records))


def test_the_total_cost_is_confirmed_first(run: Run, home: Path, records: JobStore) -> None:
    """Without --yes and a terminal no job is created; a dry run prints the cost."""
    path = jobs(home, "a", "b")
    stderr = refused(run, "--from", str(path))
    assert "2 jobs, about $2.80 in total." in stderr
    assert "pass --yes" in stderr
    done = run("submit", "--from", str(path), "--dry-run", REDIS_URL=None)
    lines = [f"line {line}  {TEXT}  about $1.40 for 5 s" for line in (1, 2)]
    assert (0, lines) == (done.exit_code, done.stdout.splitlines())
    assert "about $2.80" in done.stderr
    assert "REDIS_URL is not set, so every job counts as new." in done.stderr
    assert [] == list(jobs_of(records))


def test_a_dry_run_of_a_file_works_without_redis(run: Run, home: Path) -> None:
    """Without Redis every job counts as new, and a note says so."""
    away = "redis://127.0.0.1:1/0"
    done = run("submit", "--from", str(jobs(home, "a")), "--dry-run", REDIS_URL=away)
    assert (0, 1) == (done.exit_code, len(done.stdout.splitlines()))
    assert "Redis at REDIS_URL does not answer, so every job counts as new." in done.stderr


def test_a_dry_run_of_a_file_knows_existing_jobs(run: Run, home: Path) -> None:
    """Only new jobs count towards the cost; in JSON the total is the last line."""
    run("submit", "--from", str(jobs(home, "a")), "--yes")
    command = ["submit", "--from", str(jobs(home, "a", "b", "c")), "--dry-run"]
    first, *others = run(*command).stdout.splitlines()
    assert (True, 2) == ("exists already as" in first, len(others))
    done = run(*command, "--json")
    *rows, last = [json.loads(line) for line in done.stdout.splitlines()]
    output = [(row["line"], row["estimate"]["usd"], row["new"]) for row in rows]
    assert [(1, "1.40", False), (2, "1.40", True), (3, "1.40", True)] == output
    assert {"total": {"jobs": 3, "there": 1, "usd": "2.80", "unknown_cost": 0}} == last
    assert "2 jobs, about $2.80 in total; 1 job of the file exists already." in done.stderr


@pytest.mark.parametrize(
    ("prompts", "endpoints", "words"),
    [
        ("a", TEXT, "1 job, about $1.40."),
        ("a", "acme/x", "1 job of unknown cost."),
        ("ab", "acme/x", "2 jobs of unknown cost."),
        ("abc", f"{TEXT} acme/x {TEXT}", "3 jobs, about $2.80 in total, excluding 1 of unknown"),
    ],
)
def test_the_cost_of_a_file_in_words(
    run: Run, home: Path, prompts: str, endpoints: str, words: str
) -> None:
    """The sentence has the number of jobs, their total, and how many have no known cost."""
    cycle = itertools.cycle(endpoints.split())
    rows = [{"endpoint": next(cycle), "arguments": {"prompt": prompt}} for prompt in prompts]
    path = home / "jobs.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    done = run("submit", "--from", str(path), "--dry-run", "--unchecked", REDIS_URL=None)
    assert words in done.stderr


def test_an_interrupted_run_prints_how_far_it_came(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It prints the number of created jobs, and how to create the others."""
    created, add = iter("ab"), JobCreator.add

    def interrupted(creator: JobCreator, draft: DraftJob) -> Created:
        if not next(created, None):
            raise KeyboardInterrupt
        return add(creator, draft)

    with monkeypatch.context() as patched:
        patched.setattr(JobCreator, "add", interrupted)
        done = run("submit", "--from", str(jobs(home, "a", "b", "c")), "--yes")
    assert "2 of 3 jobs created; run the same command again: it creates the others" in done.stderr
    done = run("submit", "--from", str(jobs(home, "a", "b", "c")), "--yes")
    assert "1 created, 2 existed already." in done.stderr


def test_a_no_is_confirmed(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a no, the command prints that no job was created."""

    def no(*_: object, **__: object) -> None:
        raise click.Abort

    monkeypatch.setattr(batch, "_is_interactive", lambda: True)
    monkeypatch.setattr(click, "confirm", no)
    done = run("submit", "--from", str(jobs(home, "a")))
    assert (True, 1) == ("No job was created." in done.stderr, done.exit_code)


def test_an_interrupt_before_the_first_job_is_confirmed(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C during validation prints that no job was created."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "print_cost", interrupted)
    done = run("submit", "--from", str(jobs(home, "a")), "--yes")
    assert (True, 1) == ("No job was created." in done.stderr, done.exit_code)


@pytest.mark.parametrize("data", [png(padding=9), None])
def test_a_file_that_changes_during_a_run_is_reported_with_its_line(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, data: bytes | None
) -> None:
    """A picture that changes after validation is one error; jobs created before remain."""
    (home / "dog.png").write_bytes(png(padding=1))
    path = home / "jobs.csv"
    path.write_text("prompt,image_url\na,cat.png\nb,dog.png\n")

    def gone(*arguments: Any, **named: Any) -> None:
        batch_report.print_cost(*arguments, **named)
        (home / "dog.png").write_bytes(data) if data else (home / "dog.png").unlink()

    monkeypatch.setattr(batch, "print_cost", gone)
    done = run("submit", "--from", str(path), IMAGE, "--yes")
    assert (2, 1) == (done.exit_code, len(done.stdout.splitlines()))
    assert "1 of 2 jobs created; run the same command again" in done.stderr
    assert f'{path} line 3: image_url "dog.png": ' in done.stderr


def test_a_mistake_in_many_rows_is_reported_once(run: Run, home: Path) -> None:
    """A misspelt column is one line, with the numbers of all its rows."""
    path = home / "jobs.csv"
    path.write_text("promt,duration\n" + "fox,5\n" * 20 + "fox,7\n" + "fox,5\n" * 20)
    stderr = refused(run, "--from", str(path), TEXT, "--yes").splitlines()
    expected = [
        f"Error: {path}: 41 rows are invalid; no job was created.",
        "lines 2-42: promt (3 characters): is not an input of this endpoint; did you mean prompt?",
        "lines 2-42: prompt: is required; What the clip should show, as free text",
        'line 22: duration "7": must be one of "5", "10"',
    ]
    assert expected == stderr


def test_invalid_rows_are_json_errors(run: Run, home: Path) -> None:
    """JSON has each problem with its line, also those that the text combines."""
    error = error_of(run, "--from", str(jobs(home, "a", "", "")), "--yes")
    output = [
        (problem["line"], problem["path"], problem["message"]) for problem in error["problems"]
    ]
    assert ("bad_rows", [(n, "prompt", "must not be empty") for n in (2, 3)]) == (
        error["reason"],
        output,
    )


def test_a_rerun_creates_no_job_twice(run: Run, home: Path, records: JobStore) -> None:
    """A rerun with more lines creates only the jobs of these."""
    first = run("submit", "--from", str(jobs(home, "a")), "--yes")
    assert (0, 1) == (first.exit_code, len(first.stdout.splitlines()))
    again = run("submit", "--from", str(jobs(home, "a", "b", "a")), "--yes", "--json")
    output = [json.loads(line) for line in again.stdout.splitlines()]
    assert [(1, False), (2, True), (3, True)] == [(row["line"], row["new"]) for row in output]
    assert "2 jobs, about $2.80 in total; 1 job of the file exists already." in again.stderr
    last = run("submit", "--from", str(jobs(home, "a", "b", "a")))
    assert (0, "") == (last.exit_code, last.stdout)
    assert "0 created, 3 existed already." in last.stderr
    assert ["a", "a", "b"] == sorted(str(job.arguments["prompt"]) for job in jobs_of(records))


def test_two_concurrent_runs_each_count_their_own_jobs(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that the other run created after validation does not count as new."""
    path = jobs(home, "a", "b")
    rivals: list[Result] = []

    def also(*arguments: Any, **named: Any) -> None:
        print_cost(*arguments, **named)
        monkeypatch.setattr(batch, "print_cost", print_cost)
        rivals.append(run("submit", "--from", str(jobs(home, "a")), "--yes"))

    print_cost = batch_report.print_cost
    monkeypatch.setattr(batch, "print_cost", also)
    done = run("submit", "--from", str(path), "--yes", "--json")
    assert "1 created, 0 existed already." in rivals[0].stderr
    assert "1 created, 1 existed already." in done.stderr
    output = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(1, False), (2, True)] == [(row["line"], row["new"]) for row in output]


def test_an_id_of_another_job_is_reported_with_its_line(
    run: Run, home: Path, records: JobStore
) -> None:
    """The conflict is found before the first job is created."""
    run("submit", *FOX, "--id", "x1")
    path = home / "jobs.csv"
    path.write_text("id,prompt\nx2,A cat\nx1,A dog\n")
    stderr = refused(run, "--from", str(path), TEXT, "--yes")
    assert "line 3: job id x1 belongs to another job" in stderr
    assert ["x1"] == [job.id for job in jobs_of(records)]
