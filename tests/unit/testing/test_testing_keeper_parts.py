import pytest

from nbgate.errors import LinkError
from nbgate.link.messages import AuditState, RevokeAck, SessionsRevoked
from nbgate.testing.keeper_parts import FakeLink, MemorySink, Rig


def test_a_broken_sink_fails_every_call():
    sink = MemorySink()
    sink.append(b'{"event.action":"a"}\n')
    sink.sync()
    assert (21, 21, [{"event.action": "a"}], []) == (
        sink.size_bytes,
        sink.synced_bytes,
        sink.records("a"),
        sink.records("b"),
    )
    sink.broken = True
    for call in (sink.sync, lambda: sink.append(b""), lambda: sink.begin(1)):
        with pytest.raises(OSError, match="No space left"):
            call()
    sink.close()


def test_a_fake_link_acknowledges_unless_it_is_slow():
    link, answers = FakeLink(), []
    link.answer = answers.append
    revoked = SessionsRevoked(ack=1, ids=(b"1",), generation=1, reason="r")
    link.send(revoked)
    link.slow = True
    link.send(revoked)
    assert ([RevokeAck(ack=1, closed=1)], [revoked, revoked]) == (answers, link.of(SessionsRevoked))
    link.full = True
    with pytest.raises(LinkError):
        link.send(AuditState(failing_since_unix=0.0))
    FakeLink().answer(RevokeAck(ack=1, closed=0))


async def test_random_bytes_are_the_same_in_every_run_and_never_twice_in_one():
    one, two = Rig(), Rig()
    drawn = [one.random_bytes(8), one.random_bytes(8)]
    assert drawn == [two.random_bytes(8), two.random_bytes(8)]
    assert drawn[0] != drawn[1]
    await one.close()
    await two.close()
