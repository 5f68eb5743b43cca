"""What fal's callbacks and results may contain: any JSON has a meaning, none breaks the readers.

`FALHOOK_FUZZ_EXAMPLES=1000000 python -m pytest tests/fuzz --timeout 0` runs for as long.
"""

import json
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.factories.world import ENDPOINT, callback, request
from tests.fuzz.test_receiver import EXAMPLES
from worker.fal.errors import MAX_CHARACTERS
from worker.fal.lenient_json import parse_lenient
from worker.fal.result import by_published_name, files_of, links_of, publishable, video_of
from worker.jobs.change import Outcome
from worker.jobs.job import MOVES, Job, JobState, encode
from worker.steps.callbacks import Report, read, rendered, says_the_same, unfetched, unrendered
from worker.types import Json

NAMES = st.sampled_from(
    ["url", "video", "images", "content_type", "file_name", "detail", "msg", "loc", "type", "error"]
)
TEXTS = st.text(max_size=30) | st.sampled_from(
    [
        "OK",
        "ERROR",
        "https://v3b.fal.media/a b.mp4",
        "https://[",
        "data:video/mp4;base64,!",
        "data:,",
        "image/png",
        "\ud800",
        "\u2028",
    ]
)
JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=30,
)
RUN = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def outcome_of(job: Job, report: Report) -> Outcome:
    """What a callback leads to, for a job that waits for it."""
    if report.failure is not None:
        return unrendered(report.failure, report.fields)
    return rendered(job, report.payload, report.fields) if report.has_result else unfetched(report)


@RUN
@given(
    content=st.fixed_dictionaries(
        {}, optional={"status": JSON, "error": JSON, "payload": JSON, "request_id": JSON}
    )
    | JSON
)
@example(content={"status": "ERROR", "error": {"message": "x"}, "payload": {}})
@example(content={"status": "OK", "payload": {"video": {"url": ["x"], "content_type": {}}}})
@example(content={"status": ["OK"], "payload": float("nan")})
def test_any_callback_has_an_outcome(content: object) -> None:
    """It moves a waiting job where it may go, its words are short, and a record can hold it."""
    job = Job(id="j1", endpoint=ENDPOINT, arguments={}, state=JobState.SUBMITTED)
    report = read(replace(callback(), body=json.dumps(content).encode()))
    outcome = outcome_of(job, report)
    assert outcome.to in {*MOVES[JobState.SUBMITTED], JobState.SUBMITTED}
    assert request() == outcome.set["request_id"]
    assert len(str(outcome.set.get("sentence", ""))) <= MAX_CHARACTERS + 100
    assert all(text.encode() for text in outcome.event.values() if text)
    kept = Job.decode({"id": "j1", "endpoint": ENDPOINT, "arguments": "{}"} | encode(outcome.set))
    assert json.dumps(kept.payload, allow_nan=False) == json.dumps(report.payload)
    assert says_the_same(replace(kept, state=outcome.to), report)


@RUN
@given(body=st.binary(max_size=200))
@example(body=b"")
@example(body=b"[" * 100_000)
def test_any_bytes_have_an_outcome(body: bytes) -> None:
    """What is not JSON is looked up."""
    report = read(replace(callback(), body=body))
    job = Job(id="j1", endpoint=ENDPOINT, arguments={}, state=JobState.SUBMITTED)
    assert outcome_of(job, report).to in MOVES[JobState.SUBMITTED] | {JobState.SUBMITTED}


def allows(address: str) -> bool:
    """A list of allowed hosts."""
    return "fal" in address


@RUN
@given(payload=JSON)
@example(payload={"url": "https://v3b.fal.media/a.mp4", "content_type": 7, "file_name": ["x"]})
def test_any_result_has_files_or_none(payload: Json) -> None:
    """Every file has a safe name and a type, whatever the result says of it."""
    read_again = parse_lenient(json.dumps(payload))
    files = files_of(read_again, allows=allows)
    names: Mapping[str, object] = by_published_name(files)
    for name, file in zip(names, files, strict=True):
        media = file.declared.settle(b"\0\1\2")
        assert media.extension.isalnum()
        assert name.replace("-", "").replace(".", "").isalnum()
        json.dumps(file.declared.record()).encode()
    assert video_of(files) in {None, *files}
    assert isinstance(publishable(read_again, needs_file=True), bool)
    assert all(link not in files for link in links_of(read_again, allows=allows))
