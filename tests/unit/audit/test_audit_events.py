"""Events: their names on disk, their bounds, and what a worker may send."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from nbgate.audit import events as module
from nbgate.audit.events import (
    MAX_FIELD_CHARS,
    AuthLogin,
    Event,
    HttpRequest,
    cut,
    decode_worker_event,
    encode_event,
    timestamp,
)

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "audit.md").read_text(encoding="utf-8")
KINDS = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Event) and kind != Event]
STAMP = {"timestamp": "2026-11-23T04:20:11.051488Z", "monotonic_us": 5, "boot": "b", "n": 1}
REQUEST = HttpRequest(
    **STAMP, request_id="x", client_ip="192.0.2.1", client_port=2, method="GET", path="/a", status=200, duration_ns=3
)


def test_a_request_has_elastic_common_schema_names():
    assert {
        "event.action": "http.request",
        "@timestamp": "2026-11-23T04:20:11.051488Z",
        "nbgate.monotonic_us": 5,
        "nbgate.boot": "b",
        "nbgate.n": 1,
        "http.request.id": "x",
        "client.ip": "192.0.2.1",
        "client.port": 2,
        "http.request.method": "GET",
        "url.path": "/a",
        "http.response.status_code": 200,
        "event.duration": 3,
    } == json.loads(encode_event(REQUEST))


def test_a_workers_event_comes_back_as_it_was():
    assert REQUEST == decode_worker_event(encode_event(REQUEST))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"event.action":"http.request"}',
        encode_event(AuthLogin(**STAMP, client_ip="192.0.2.1", user="ada")),  # the keeper's own kind
        encode_event(REQUEST)[:-1] + b',"extra":1}',
        encode_event(REQUEST).replace(b'"client.port":2', b'"client.port":"2"'),
    ],
)
def test_nothing_else_is_an_event_of_a_worker(body):
    with pytest.raises(msgspec.MsgspecError):
        decode_worker_event(body)


def test_every_kind_of_event_says_what_it_does_not_record():
    assert len(KINDS) > 10
    assert [] == [kind.__name__ for kind in KINDS if not kind.__doc__]


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_page_lists_exactly_the_fields_of_an_event(kind):
    (row,) = re.findall(rf"^\| `{re.escape(kind.__struct_config__.tag)}` \|.*$", PAGE, re.MULTILINE)
    own = set(kind.__struct_encode_fields__) - set(Event.__struct_encode_fields__)
    assert own == set(re.findall(r"`([a-z._0-9]+)`", row.split("|")[3]))


@pytest.mark.parametrize(("unix", "text"), [(0.0, "1970-01-01T00:00:00.000000Z"), (1.5, "1970-01-01T00:00:01.500000Z")])
def test_a_timestamp_has_microseconds_and_utc(unix, text):
    assert text == timestamp(unix)


def test_long_fields_are_cut_and_say_so():
    assert "a" * MAX_FIELD_CHARS == cut("a" * MAX_FIELD_CHARS)
    assert len(cut("a" * 10_000)) <= MAX_FIELD_CHARS
    assert cut("a" * 10_000).endswith("[10000 chars]")
