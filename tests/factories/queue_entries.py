"""Entries of queues as senders write them, well-formed and not."""

import json
from base64 import b64encode

BAD_HEADERS: list[dict[str, object]] = [
    {"eta": 5},
    {"eta": "soon"},
    {"expires": "soon"},
    {"retries": "x"},
]


def encoded(payload: object) -> str:
    """Return a body in kombu's coding."""
    return b64encode(json.dumps(payload).encode()).decode()


def entry(payload: object, headers: object = None, **changes: object) -> str:
    """Return the entry of a message with this body; `changes` are those of its envelope."""
    return json.dumps(
        {
            "body": encoded(payload),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"task": "falhook.submit", "id": "m1"} if headers is None else headers,
            "properties": {
                "delivery_tag": "t",
                "body_encoding": "base64",
                "delivery_info": {"exchange": "", "routing_key": "x"},
            },
            **changes,
        }
    )


def create(keywords: object, message_id: str, **changes: object) -> str:
    """Return the entry of a falhook.create message."""
    headers = {"task": "falhook.create", "id": message_id}
    return entry([[], keywords, {}], headers, **changes)


def invalid_entries() -> list[str | bytes]:
    """Return entries that are not messages for a task of falhook."""
    job: object = [["job"], {}, {}]
    bad_parts: list[object] = [[[], {}], [], [1, 2, 3], None, 7, "text", {"args": 5}]
    bad_arguments: list[object] = [[["a", "b"], {}, {}], [[], {}, {}], [[], {"x": 1}, {}]]
    bad_ids: list[object] = [{}, 5, None, "no id", ["a"]]
    bad_limits: list[object] = ["x", [1], {"a": 1}, 5]
    bad_properties: list[object] = [5, {}, {"delivery_tag": {}}]
    named = {"task": "falhook.submit", "id": "m1"}
    properties = {"delivery_tag": "t", "body_encoding": "base64"}
    return [
        *("junk", "[]", "{}", "5", "null", '"x"', b"\xff\xfe", "[" * 100_000),
        *(json.dumps({"properties": value}) for value in bad_properties),
        json.dumps({"body": 5, "properties": properties}),
        json.dumps({"body": "x", "properties": properties, "headers": [1]}),
        entry(job, properties={**properties, "body_encoding": "klingon"}),
        *(entry(parts) for parts in bad_parts),
        entry(job, {}),
        entry(job, {"task": "other.task", "id": "m1"}),
        entry(job, {"task": {}, "id": "m1"}),
        entry(job, {"task": "falhook.submit", "id": {}}),
        entry(job, {"task": "falhook.submit"}),
        *(entry(parts) for parts in bad_arguments),
        *(entry([[value], {}, {}]) for value in bad_ids),
        *(entry(job, {**named, **bad}) for bad in BAD_HEADERS),
        *(entry(job, {**named, "timelimit": bad}) for bad in bad_limits),
        entry(job, {**named, "compression": "klingon"}),
        *(entry([["job"], {}, {name: 5}]) for name in ("callbacks", "errbacks", "chain", "chord")),
        entry([["job"], {}, {"chain": [5]}]),
        entry(job, **{"content-type": "application/x-python-serialize"}),
        entry(job, **{"content-type": 5}),
        entry({"task": "falhook.submit"}, {}),
        entry({"task": "other.task", "id": "m1", "args": [], "kwargs": {}}, {}),
    ]
