"""The receiver of the local stack shows what came."""

import json

import httpx

from infra.local.webhook_receiver import webhook_receiver


def test_it_shows_what_came() -> None:
    """Each message is a line with its type, its job and its id; GET shows the last ones."""
    lines: list[str] = []
    with webhook_receiver(lines.append) as url:
        body = {"type": "job.published", "data": {"id": "order-4711"}}
        assert 200 == httpx.post(url, json=body, headers={"webhook-id": "msg_1"}).status_code
        assert 200 == httpx.post(url, content=b"\xff\x1b[2J").status_code
        shown = httpx.get(url).content
    assert "webhook job.published  order-4711  msg_1" == lines[0]
    assert lines[1].isprintable()
    assert body == json.loads(shown.splitlines()[0])
