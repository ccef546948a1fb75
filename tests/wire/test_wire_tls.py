"""The corpus of raw requests over real TLS, whole and byte by byte, to a gateway in front of the stub.

Invalid: refused with a fixed answer, the connection ended, not one whole request at the upstream. Valid: the upstream
gets exactly these requests. `tests/unit/http/test_http_wire.py` reads the same files with the pure core alone.
"""

import re
import tomllib
from http import HTTPStatus
from pathlib import Path

import pytest
from session_into import with_session
from stub_saw import Watch

from nbgate.testing.raw_client import RawClient, Send, SendEachByte
from nbgate.testing.wait import wait_until

WIRE = Path(__file__).parent
EXPECTED = tomllib.loads((WIRE / "expected.toml").read_text(encoding="utf-8"))
BODY_FAULTS = frozenset({"bad-chunk", "bad-trailer"})
AT_THE_LIMIT = frozenset({"t37-64-headers", "t37-head-32768"})
"""Valid files that no further header fits into: they are sent by a stranger, and asked to log in."""
FIXED_HEADERS = {"allow", "connection", "content-length", "content-type", "date", "sec-websocket-version", "upgrade"} | {
    "cache-control", "content-security-policy", "cross-origin-opener-policy", "cross-origin-resource-policy", "referrer-policy",
    "x-content-type-options",
}  # fmt: skip
SENDS = [pytest.param(Send, id="whole"), pytest.param(SendEachByte, id="bytes")]


@pytest.fixture(scope="module")
def context(stub_gateway):
    return stub_gateway.certificate.client_context()


@pytest.fixture(scope="module")
def session(stub_gateway):
    """Give the value of a live session's cookie."""
    return stub_gateway.login().partition("=")[2]


@pytest.fixture(scope="module")
def refused():
    """Give the list of reasons that the refusals of this run must have in the audit."""
    return []


@pytest.fixture
def client(stub_gateway, context):
    with RawClient(stub_gateway.port, context) as opened:
        yield opened


@pytest.mark.parametrize("send", SENDS)
@pytest.mark.parametrize("name", sorted(EXPECTED["invalid"]))
def test_an_invalid_request_is_refused_and_the_upstream_sees_none(stub, client, session, refused, told, name, send):
    expected = EXPECTED["invalid"][name]
    data = (WIRE / "invalid" / f"{name}.http").read_bytes()
    in_body = expected["reason"] in BODY_FAULTS
    watch = Watch(stub)
    client.run([send(with_session(data, session) if in_body else data)])
    answer, before = client.read_answer(), ""
    if answer.status == HTTPStatus.UNAUTHORIZED:  # a good request before the bad one
        answer, before = client.read_answer(), "401, "
    phrase = HTTPStatus(expected["status"]).phrase
    assert (expected["status"], f"{expected['status']} {phrase}\n".encode()) == (answer.status, answer.body)
    wanted = answer.status == HTTPStatus.UPGRADE_REQUIRED  # says what to upgrade to (RFC 9110 section 15.5.22)
    assert ["close, Upgrade" if wanted else "close"] == answer.values("connection")
    names = {line.partition(":")[0].lower() for line in answer.head.decode("ascii").split("\r\n")[1:] if line}
    assert set() == names - FIXED_HEADERS
    assert b"" == client.read_to_end()
    assert [] == watch.requests
    assert in_body or watch.size == 0
    refused.append(expected["reason"])
    told.row(name, data, f"{before}{answer.status}, close", watch.told())


@pytest.mark.parametrize("send", SENDS)
@pytest.mark.parametrize("name", sorted(set(EXPECTED["valid"]) - AT_THE_LIMIT))
def test_a_valid_file_reaches_the_upstream_as_its_requests(stub, client, session, told, name, send):
    expected = EXPECTED["valid"][name]["requests"]
    watch = Watch(stub)
    data = (WIRE / "valid" / f"{name}.http").read_bytes()
    client.run([send(with_session(data, session))])
    answers = [answer_to(client, line) for line in expected]
    assert set(answers) <= {200, 101}
    assert sorted(expected) == sorted(watch.lines())
    told.row(name, data, ", ".join(map(str, answers)), watch.told())


def answer_to(client, line):
    """Return the final status of the next answer, which is to the request `line`."""
    status = 100
    while status == HTTPStatus.CONTINUE:
        status = client.read_answer(to_head=line.startswith("HEAD ")).status
    return status


@pytest.mark.parametrize("send", SENDS)
@pytest.mark.parametrize("name", sorted(AT_THE_LIMIT))
def test_a_request_at_the_limit_is_read_and_asked_to_log_in(stub, client, name, send):
    watch = Watch(stub)
    client.run([send((WIRE / "valid" / f"{name}.http").read_bytes())])
    assert 401 == client.read_answer().status
    assert 0 == watch.size


def test_every_refusal_is_in_the_audit_with_its_reason(stub_gateway, refused):
    def reasons():
        records = stub_gateway.audit()
        found = [r["event.reason"] for r in records if r["event.action"] == "http.reject"]
        return found if len(found) >= len([r for r in refused if r not in BODY_FAULTS]) else None

    found = wait_until(reasons, what="a record of every refusal")
    wanted = sorted(reason for reason in refused if reason not in BODY_FAULTS)
    assert wanted == sorted(reason for reason in found if reason not in BODY_FAULTS)


def test_no_refusal_repeats_a_byte_of_its_request(client):
    client.run([Send(b"GET /marmalade HTTP/1.1\r\nHost: gw.test\r\nCookie: secret\x01\r\n\r\n")])
    assert not re.search(rb"marmalade|secret|Cookie", client.read_to_end())
