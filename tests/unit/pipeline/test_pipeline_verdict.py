"""Verdicts are values."""

import pytest

from nbgate.model.route import Route, Upstream, UpstreamState
from nbgate.pipeline.verdict import Challenge, ChallengeKind, Forward, Respond
from nbgate.reasons import Reason

ROUTE = Route(name="main", prefix="/", upstream=Upstream(host="127.0.0.1", port=1))
ALL = [
    Forward(
        ROUTE, UpstreamState(route="main", token="secret-token"), b"GET / HTTP/1.1\r\n", socket=None, untouched=False
    ),
    Respond(404, Reason.NOT_FOUND),
    Challenge(ChallengeKind.API, Reason.LOGIN_REQUIRED),
]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (ChallengeKind.PAGE, 303),
        (ChallengeKind.API, 401),
        (ChallengeKind.KERNEL, 424),
        (ChallengeKind.WEBSOCKET, 401),
    ],
)
def test_a_challenge_has_its_status(kind, status):
    assert status == Challenge(kind, Reason.LOGIN_REQUIRED).status


@pytest.mark.parametrize("verdict", ALL)
def test_a_verdict_cannot_be_changed(verdict):
    field = verdict.__struct_fields__[0]
    with pytest.raises(AttributeError):
        setattr(verdict, field, None)


def test_an_answer_is_plain_text_and_keeps_the_connection_unless_it_says_otherwise():
    answer = Respond(404, Reason.NOT_FOUND)
    assert (b"", "text/plain; charset=utf-8", (), False, "") == (
        answer.body,
        answer.content_type,
        answer.headers,
        answer.close,
        answer.hint,
    )


def test_the_token_is_not_in_the_representation_of_the_state():
    assert "secret-token" not in repr(ALL[0].state)
