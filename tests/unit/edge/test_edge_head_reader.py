"""Heads cut out of a connection's bytes, and read once."""

import pytest

from nbgate.crypto.api_tokens import new_api_token, parse_api_token
from nbgate.edge import head_reader as module
from nbgate.edge.head_reader import HeadReader
from nbgate.errors import ProtocolError
from nbgate.http.head import HeadLimits
from nbgate.pipeline.claims import NOTHING
from nbgate.rules.tables import shipped_tables

HEAD = b"GET /a HTTP/1.1\r\nHost: gw.test\r\n\r\n"


class FakePolicy:
    """Stands for a `Policy` by the two things that are asked of it."""

    def __init__(self, line_bytes=8190):
        self.head_limits = HeadLimits(line_bytes=line_bytes)
        self.tables = shipped_tables()


@pytest.mark.parametrize("size", [1, 7, len(HEAD) - 1])
def test_a_head_in_pieces_is_found_where_it_ends(size):
    reader, policy, buffer = HeadReader(), FakePolicy(), b""
    for at in range(0, len(HEAD), size):
        buffer += HEAD[at : at + size]
        end = reader.find_end(buffer, policy)
        assert (end < 0) is (at + size < len(HEAD))
    assert len(HEAD) == end


def test_the_next_head_is_searched_from_its_beginning():
    reader, policy = HeadReader(), FakePolicy()
    assert -1 == reader.find_end(HEAD[:-1], policy)
    assert len(HEAD) == reader.find_end(HEAD, policy)
    assert -1 == reader.find_end(HEAD[:10], policy)
    assert len(HEAD) == reader.find_end(HEAD + HEAD, policy)


def test_what_can_never_be_good_is_refused_before_it_is_complete():
    with pytest.raises(ProtocolError):
        HeadReader().find_end(b"GET /\x00", FakePolicy())


def test_another_policy_reads_by_its_own_limits():
    reader = HeadReader()
    assert b"" == reader.last_block
    assert "/a" == reader.read(HEAD, FakePolicy()).target.path
    assert b"Host: gw.test\r\n\r\n" == reader.last_block
    with pytest.raises(ProtocolError):
        reader.read(HEAD, FakePolicy(line_bytes=4))


def test_a_claim_is_looked_for_once_in_the_same_fields(monkeypatch):
    asked = []
    monkeypatch.setattr(module, "claim_of", lambda fields: asked.append(fields) or NOTHING)
    reader, policy = HeadReader(), FakePolicy()
    one, two = (reader.read(HEAD, policy) for _ in range(2))
    assert [NOTHING, NOTHING] == [reader.claim(head) for head in (one, two)]
    assert 1 == len(asked)


def test_a_handshake_is_looked_at_with_its_query_each_time():
    lines = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    token = new_api_token(bytes(32))
    reader, policy = HeadReader(), FakePolicy()
    for query, key in ((f"?token={token}", parse_api_token(token)), ("", b""), ("?token=x", b"")):
        raw = f"GET /a{query} HTTP/1.1\r\nHost: gw.test\r\n".encode()
        assert key == reader.claim(reader.read(raw + lines, policy)).key
        assert NOTHING is reader.claim(reader.read(raw + b"\r\n", policy))
