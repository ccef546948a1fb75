"""Our own answers: for people, programs and websockets; and what none of them ever shows."""

import json

import pytest

from nbgate.access.paths import RequestKind
from nbgate.pipeline import answers
from nbgate.pipeline.verdict import Challenge, ChallengeKind, Respond
from nbgate.reasons import Reason

HYGIENE = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{answers._STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    ),
}
HSTS = b"Strict-Transport-Security: max-age=31536000\r\n"


def split(data):
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    names = [name.lower() for name, _, _ in pairs]
    assert len(names) == len(set(names))
    return first, {name.lower(): value for name, _, value in pairs}, body


def respond(verdict, kind=RequestKind.API, *, close=False, head_only=False, request_id="id1"):
    return split(answers.respond(verdict, kind, request_id=request_id, close=close, head_only=head_only))


@pytest.mark.parametrize(
    ("status", "first", "extra"),
    [
        (400, "HTTP/1.1 400 Bad Request", {}),
        (405, "HTTP/1.1 405 Method Not Allowed", {"allow": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}),
        (408, "HTTP/1.1 408 Request Timeout", {}),
        (
            426,
            "HTTP/1.1 426 Upgrade Required",
            {"connection": "close, Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"},
        ),
        (431, "HTTP/1.1 431 Request Header Fields Too Large", {}),
        (499, "HTTP/1.1 499 ", {}),
    ],
)
def test_a_rejection_is_fixed_and_ends_the_connection(status, first, extra):
    line, headers, body = split(answers.rejection(status))
    fixed = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body)), "connection": "close"}
    assert (first, fixed | HYGIENE | extra) == (line, headers)
    assert body.startswith(b"%d " % status)


@pytest.mark.parametrize(
    "data",
    [
        answers.rejection(400, HSTS),
        answers.broken("id1", HSTS),
        *(
            answers.respond(verdict, RequestKind.API, request_id="id1", close=False, head_only=False, always=HSTS)
            for verdict in (
                Respond(200, Reason.FIXED, body=b"ok"),
                Respond(308, Reason.REDIRECT),
                Respond(502, Reason.UPSTREAM_LOST),
            )
        ),
        *(
            answers.challenge(
                Challenge(kind, Reason.LOGIN_REQUIRED, "/x"), request_id="id1", close=True, head_only=True, always=HSTS
            )
            for kind in ChallengeKind
        ),
    ],
)
def test_every_answer_of_ours_has_its_headers_whole(data):
    _, headers, _ = split(data)
    assert HYGIENE | {"strict-transport-security": "max-age=31536000"} == {
        name: value for name, value in headers.items() if name in HYGIENE or name == "strict-transport-security"
    }


def test_plain_http_is_told_the_https_address():
    line, headers, body = split(answers.not_tls("https://home.example:8443/"))
    assert "HTTP/1.1 400 Bad Request" == line
    assert ("close", "nosniff", str(len(body))) == (
        headers["connection"],
        headers["x-content-type-options"],
        headers["content-length"],
    )
    assert b"Open https://home.example:8443/\n" in body


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        (RequestKind.NAVIGATION, "text/html; charset=utf-8"),
        (RequestKind.API, "application/json"),
        (RequestKind.WEBSOCKET, "text/plain; charset=utf-8"),
    ],
)
@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained_to_everybody(kind, content_type, reason):
    line, headers, body = respond(Respond(503, reason), kind)
    assert ("HTTP/1.1 503 Service Unavailable", content_type) == (line, headers["content-type"])
    assert ("id1", "no-store", "nosniff", "2") == (
        headers["x-request-id"],
        headers["cache-control"],
        headers["x-content-type-options"],
        headers["retry-after"],
    )
    assert str(len(body)) == headers["content-length"]
    assert reason.value.encode() in body
    assert (kind is RequestKind.WEBSOCKET) == (b"id1" not in body)


def test_a_program_reads_json():
    _, _, body = respond(Respond(503, Reason.UPSTREAM_OPEN, hint="nbgate --allow-open-upstream"))
    told = json.loads(body)
    assert ("upstream-open", "id1", "nbgate --allow-open-upstream") == (told["reason"], told["error_id"], told["hint"])
    assert "hint" not in json.loads(respond(Respond(403, Reason.CROSS_SITE))[2])


def test_a_program_is_told_when_the_server_answered_last():
    told = json.loads(respond(Respond(503, Reason.UPSTREAM_REFUSED, says="Gone.", last_seen_unix=1_700_049_600.5))[2])
    assert ("2023-11-15T12:00:00Z", "Gone.") == (told["last_seen"], told["message"])
    assert "last_seen" not in json.loads(respond(Respond(503, Reason.UPSTREAM_REFUSED))[2])


@pytest.mark.parametrize(("reason", "reloads"), [(Reason.UPSTREAM_CHECKING, True), (Reason.CROSS_SITE, False)])
def test_a_page_reloads_by_itself_when_the_cause_may_pass(reason, reloads):
    _, headers, body = respond(Respond(503, reason), RequestKind.NAVIGATION)
    assert reloads == (b'http-equiv="refresh"' in body)
    assert "default-src 'none'" in headers["content-security-policy"]


def test_a_page_shows_nothing_unescaped():
    _, _, body = respond(Respond(503, Reason.UPSTREAM_OPEN, hint="<script>&"), RequestKind.NAVIGATION, request_id="<b>")
    assert b"&lt;script&gt;&amp;" in body
    assert b"<script>" not in body
    assert b"<b>" not in body


@pytest.mark.parametrize(
    ("verdict", "close", "head_only", "status", "length", "has_body"),
    [
        (Respond(200, Reason.FIXED, body=b"ok\n"), False, False, "200 OK", "3", True),
        (Respond(200, Reason.FIXED, body=b"ok\n"), True, False, "200 OK", "3", True),
        (Respond(200, Reason.FIXED, body=b"ok\n"), False, True, "200 OK", "3", False),
        (Respond(303, Reason.REDIRECT, headers=(("Location", "/x"),)), False, False, "303 See Other", "0", False),
        (
            Respond(308, Reason.REDIRECT, headers=(("Location", "/x"),)),
            False,
            False,
            "308 Permanent Redirect",
            "0",
            False,
        ),
        (Respond(204, Reason.FIXED), False, False, "204 No Content", "0", False),
    ],
)
def test_bodies_lengths_and_ends(verdict, close, head_only, status, length, has_body):
    line, headers, body = respond(verdict, close=close, head_only=head_only)
    assert (f"HTTP/1.1 {status}", length, has_body) == (line, headers["content-length"], bool(body))
    assert close == (headers.get("connection") == "close")
    assert has_body or head_only or "content-type" not in headers
    assert dict(verdict.headers).get("Location") == headers.get("location")


@pytest.mark.parametrize(
    ("verdict", "status", "location", "content_type"),
    [
        (
            Challenge(ChallengeKind.PAGE, Reason.LOGIN_REQUIRED, "/_nbgate/login?next=/lab"),
            303,
            "/_nbgate/login?next=/lab",
            None,
        ),
        (Challenge(ChallengeKind.API, Reason.SESSION_ENDED), 401, None, "application/json"),
        (Challenge(ChallengeKind.KERNEL, Reason.SESSION_ENDED), 424, None, "application/json"),
        (Challenge(ChallengeKind.WEBSOCKET, Reason.LOGIN_REQUIRED), 401, None, "text/plain; charset=utf-8"),
    ],
)
def test_a_challenge_speaks_the_language_of_who_asked(verdict, status, location, content_type):
    line, headers, _ = split(answers.challenge(verdict, request_id="id1", close=True, head_only=False))
    assert f"HTTP/1.1 {status} " == line[:13]
    assert (location, content_type, "close", "id1") == (
        headers.get("location"),
        headers.get("content-type"),
        headers["connection"],
        headers["x-request-id"],
    )
    assert "www-authenticate" not in headers


def test_a_challenge_to_head_has_no_body():
    verdict = Challenge(ChallengeKind.API, Reason.LOGIN_REQUIRED)
    _, headers, body = split(answers.challenge(verdict, request_id="id1", close=False, head_only=True))
    assert b"" == body
    assert int(headers["content-length"]) > 0


@pytest.mark.parametrize(("status", "phrase"), [(200, "OK"), (404, "Not Found"), (499, ""), (999, "")])
def test_phrases(status, phrase):
    assert phrase == answers.phrase(status)
