"""The form of a new job: its price first, its faults at their fields, one job however often."""

import httpx
import pytest

from tests.factories.apis import ENDPOINT, RunningApi
from tests.factories.consoles import OURS, Visitor, hidden_fields, visitor
from tests.factories.input_files import png

IMAGE = "fal-ai/kling-video/v2.1/pro/image-to-video"


@pytest.fixture
def creator(running: RunningApi) -> Visitor:
    """Somebody who may create jobs."""
    return visitor(running, "makes")


def send(creator: Visitor, endpoint: str, page: str, **fields: str) -> httpx.Response:
    """Send the form of an endpoint, with the hidden fields of this page of it."""
    data = {**hidden_fields(page), "endpoint": endpoint, **fields}
    return creator.http.post("/console/new", data=data, headers=OURS)


def test_the_price_is_shown_before_the_job_is_created(creator: Visitor) -> None:
    """The first click shows what it costs, the second creates it, a third is the same job."""
    assert ENDPOINT in creator.page("/console/new?search=v2.1+master")
    form = creator.page(f"/console/new?endpoint={ENDPOINT}")
    fields = {"a.prompt": "A red fox", "a.duration": "10", "metadata": "order=4711"}
    priced = send(creator, ENDPOINT, form, step="create", **fields)
    assert (200, True) == (priced.status_code, "Create the job for $2.80" in priced.text)
    first = send(creator, ENDPOINT, priced.text, step="create", **fields)
    second = send(creator, ENDPOINT, priced.text, step="create", **fields)
    assert (303, first.headers["location"]) == (second.status_code, second.headers["location"])
    page = creator.page(first.headers["location"])
    assert all(text in page for text in ("A red fox", "4711", "$2.80", "The job is created."))


def test_a_price_that_has_changed_is_shown_again(creator: Visitor) -> None:
    """Who changes the length after reading the price reads it again."""
    form = creator.page(f"/console/new?endpoint={ENDPOINT}")
    priced = send(creator, ENDPOINT, form, **{"a.prompt": "x", "a.duration": "5"})
    changed = {"a.prompt": "x", "a.duration": "10", "step": "create"}
    assert "$2.80" in send(creator, ENDPOINT, priced.text, **changed).text


def test_faults_stand_at_their_fields(creator: Visitor) -> None:
    """What was typed is still there."""
    form = creator.page(f"/console/new?endpoint={ENDPOINT}")
    answer = send(creator, ENDPOINT, form, **{"a.prompt": "A fox", "a.duration": "7"})
    assert 422 == answer.status_code
    assert "duration must be" in answer.text
    assert "A fox" in answer.text
    bad = send(creator, ENDPOINT, form, **{"a.prompt": "A fox", "metadata": "no equals"})
    assert (422, True) == (bad.status_code, "name=value" in bad.text)


def test_an_image_is_uploaded_with_the_form(creator: Visitor) -> None:
    """A chosen file becomes the input; one that cannot be it is a fault at its field."""
    form = creator.page(f"/console/new?endpoint={IMAGE}")
    hidden = {**hidden_fields(form), "a.prompt": "The robin lifts off"}
    file = {"f.image_url": ("robin.png", png(width=400, height=400), "image/png")}
    priced = creator.http.post("/console/new", data=hidden, files=file, headers=OURS)
    assert (200, True) == (priced.status_code, "upload://" in priced.text), priced.text
    upload = priced.text.split('value="upload://')[1].split('"')[0]
    fields = {
        "a.prompt": "The robin lifts off",
        "a.image_url": f"upload://{upload}",
        "step": "create",
    }
    assert 303 == send(creator, IMAGE, priced.text, **fields).status_code
    file = {"f.image_url": ("robin.png", b"no image", "image/png")}
    wrong = creator.http.post("/console/new", data=hidden, files=file, headers=OURS)
    assert (422, True) == (wrong.status_code, 'class="fault"' in wrong.text)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n", 400),
        ("multipart/form-data; boundary=x", b"junk--x--", 400),
        ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"a=\xff", 400),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 500), 400),
    ],
)
def test_forms_that_cannot_be_read_are_refused(
    creator: Visitor, kind: str, body: bytes, status: int
) -> None:
    """No such form is a defect."""
    headers = {**OURS, "Content-Type": kind}
    assert status == creator.http.post("/console/new", content=body, headers=headers).status_code
