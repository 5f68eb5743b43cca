"""Queue entries that are not Celery messages are recognised before kombu relies on them."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.broker.envelope import InvalidMessage, parse_envelope

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
NAMES = st.sampled_from(
    ["body", "properties", "headers", "delivery_tag", "delivery_info", "body_encoding"]
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | st.dictionaries(NAMES, VALUES).map(json.dumps) | st.text())
def test_every_entry_is_an_envelope_or_invalid(entry: bytes | str) -> None:
    """No other exception, whatever lies in the list."""
    try:
        envelope = parse_envelope(entry, "queue")
    except InvalidMessage:
        return
    assert {"body", "headers", "properties"} <= envelope.keys()


def test_a_message_goes_back_to_the_queue_that_it_came_from() -> None:
    """Exchange and routing key of the sender do not count."""
    properties = {"delivery_tag": "t", "delivery_info": {"exchange": "x", "priority": 3}}
    entry = json.dumps({"body": "{}", "properties": properties})
    envelope = parse_envelope(entry, "falhook.submit")
    expected = {"exchange": "", "routing_key": "falhook.submit", "priority": 3}
    assert {**properties, "delivery_info": expected} == envelope["properties"]


def test_a_body_that_is_not_base64() -> None:
    """The body is decoded as its encoding says."""
    entry = {"body": "abc", "properties": {"delivery_tag": "t", "body_encoding": "base64"}}
    with pytest.raises(InvalidMessage, match="bad_body_encoding"):
        parse_envelope(json.dumps(entry), "q")
