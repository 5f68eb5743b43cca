"""Tenants on the command line: --tenant of submit and list, and how list and show name them."""

import json
from pathlib import Path

from tests.factories.cli import FOX, Run, error_of, jobs, refused, submitted
from tests.factories.listed import jobs_of
from worker.jobs.store import JobStore


def test_a_job_is_submitted_for_a_tenant(run: Run) -> None:
    """`show` names it, and does not name the default one; --json has it always."""
    acme, plain = submitted(run, *FOX, "--tenant", "acme"), submitted(run, *FOX)
    assert ("acme", "default") == (acme["tenant"], plain["tenant"])
    assert "tenant      acme\n" in run("show", acme["id"]).stdout
    assert "tenant" not in run("show", plain["id"]).stdout


def test_a_list_of_one_tenant(run: Run) -> None:
    """It has the jobs of this tenant; a list of all has a column if one of them has a name."""
    acme, plain = submitted(run, *FOX, "--tenant", "acme"), submitted(run, *FOX)
    for tenant, job in (("acme", acme), ("default", plain)):
        listed = run("list", "--tenant", tenant, "--json").stdout.splitlines()
        assert [job["id"]] == [json.loads(line)["id"] for line in listed]
    assert (True, False) == (
        "tenant" in run("list").stdout.splitlines()[0],
        "tenant" in run("list", "--tenant", "default").stdout,
    )
    assert "No job matches." in run("list", "--tenant", "bolt").stderr


def test_a_file_is_submitted_for_a_tenant(run: Run, home: Path, records: JobStore) -> None:
    """--tenant holds for rows that name none."""
    run("submit", "--from", str(jobs(home, "a", "b")), "--tenant", "acme", "--yes")
    assert ["acme", "acme"] == [job.tenant for job in jobs_of(records)]


def test_an_unusable_name_is_refused(run: Run) -> None:
    """The message has the value and the rule; nothing is listed, nothing created."""
    assert 'tenant "Acme" cannot name a tenant: use 1 to 40' in refused(
        run, *FOX, "--tenant", "Acme"
    )
    assert 2 == run("list", "--tenant", "a b").exit_code


def test_an_id_of_another_tenant_is_refused(run: Run) -> None:
    """The error says that it is taken, and nothing of that job."""
    submitted(run, *FOX, "--id", "a1", "--tenant", "acme")
    sentence = error_of(run, *FOX, "--id", "a1")["sentence"]
    assert "job id a1 is taken; use another id, or leave it out" == sentence.rstrip(".")
