"""The runbook's tables are complete: processes, states, reason codes, answers, alerts."""

import ast
import re

from tests import ROOT
from tests.repository.reason_codes import reason_codes
from webhook.contract import Queue, celery_app
from webhook.log import EVENTS
from webhook.responses import STATUS
from worker.jobs.job import JobState

RUNBOOK = (ROOT / "infra" / "README.md").read_text()


def rows(heading: str, level: str = "##") -> set[str]:
    """Return the codes in the first column of the tables below a heading."""
    section = re.split(rf"^{level} {heading}$", RUNBOOK, flags=re.MULTILINE)[1]
    text = re.split(rf"^#{{2,{len(level)}}} ", section, flags=re.MULTILINE)[0]
    cells = re.findall(r"^\| ((?:`[^`|]+`(?:, )?)+)(?: at level `error`)? \|", text, re.MULTILINE)
    return {code for cell in cells for code in re.findall(r"`([^`]+)`", cell)}


def test_it_has_every_process() -> None:
    """Each process of the Procfile has a row that says what happens without it."""
    names = re.findall(r"^(\w+):", (ROOT / "Procfile").read_text(), re.MULTILINE)
    assert set() == set(names) - rows("Parts")


def test_it_has_every_state() -> None:
    """Each state of a job has a row."""
    assert {state.value for state in JobState} == rows("States")


def test_it_has_every_reason_code() -> None:
    """Each reason code of the source has a row with its cure, and no row is out of date."""
    assert reason_codes() | STATUS.keys() == rows("Reason codes")


def test_it_has_every_answer_of_the_receiver() -> None:
    """Each outcome of a callback has a row."""
    assert set(STATUS) == rows("Answers of the receiver", "###")


def test_a_restore_deletes_the_messages_that_create_jobs() -> None:
    """The keys are those in which Redis holds waiting messages and those that a worker has."""
    options = celery_app("redis://127.0.0.1/0", redis={}).conf.broker_transport_options
    held = {options[name] for name in ("unacked_key", "unacked_index_key")}
    [command] = re.findall(r"`redis-cli DEL (falhook\.submit [^`]+)`", RUNBOOK)
    assert {Queue.SUBMIT, *held} == set(command.split())


def test_reason_codes_are_found() -> None:
    """They are read from failures, families, constants, defaults, conditions and answers."""
    expected = {"fal_busy", "fal_…", "callback_unread", "bad_usage", "redis_full", "no_keys"}
    expected |= {"signing_failed", "storage_missing", "unknown_endpoint", "no_callback"}
    assert expected <= reason_codes() | STATUS.keys()


def test_alerts_are_events() -> None:
    """Each alert is a declared event."""
    assert set() == rows("Alerts") - EVENTS.keys() - rows("Alerts of Prometheus", "###")


def test_it_has_every_alert_of_prometheus() -> None:
    """Each rule has a row with its cure, and each row a rule."""
    rules = (ROOT / "infra" / "monitoring" / "rules.yml").read_text()
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    assert alerts == rows("Alerts of Prometheus", "###")


def test_every_error_is_an_alert() -> None:
    """Each event that is only logged at level error has a row."""
    assert set() == _errors() - rows("Alerts")


def _errors() -> set[str]:
    files = [path for name in ("webhook", "worker") for path in (ROOT / name).rglob("*.py")]
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text())))
    errors = set()
    for node in nodes:
        match node:
            case ast.Call(
                func=ast.Attribute(attr="error" | "exception" | "critical"),
                args=[ast.Constant(value=str(name)), *_],
            ) if name in EVENTS:
                errors.add(name)
    return errors
