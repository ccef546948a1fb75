"""Which session a request claims."""

import hashlib
from base64 import urlsafe_b64encode

import pytest

from nbgate.crypto.api_tokens import new_api_token, parse_api_token
from nbgate.crypto.devices import new_device_cookie, new_device_id
from nbgate.http.head import HeadLimits, HeadParser
from nbgate.pipeline.claims import NOTHING, Claim, claim_of, device_cookie_of
from nbgate.reasons import Reason
from nbgate.rules.tables import shipped_tables

RAW = bytes(range(32))
SECRET = urlsafe_b64encode(RAW).decode().rstrip("=")
ID = hashlib.sha256(RAW).digest()
NAME = "__Host-Http-nbgate"
DEVICE_NAME = "__Host-Http-nbgate_dev"
DEVICE = new_device_cookie(bytes(32), "ada", new_device_id(bytes(16)), 2_000_000_000, 1)
LOGIN = Claim(ID, Reason.SESSION_ENDED)
ENDED = Claim(b"", Reason.SESSION_ENDED)
TWICE = Claim(b"", Reason.DUPLICATE_COOKIE)

TOKEN = new_api_token(RAW)
OTHER = new_api_token(bytes(32))
GOOD = Claim(parse_api_token(TOKEN), Reason.TOKEN_INVALID, is_token=True)
BAD = Claim(b"", Reason.TOKEN_INVALID, is_token=True)
BOTH = Claim(b"", Reason.TOKEN_WITH_COOKIE, is_token=True)


def fields(cookie=None, host="gw.test", authorization=None):
    lines = "" if cookie is None else f"Cookie: {cookie}\r\n"
    lines += "" if authorization is None else f"Authorization: {authorization}\r\n"
    raw = f"GET / HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode()
    return HeadParser(HeadLimits(), shipped_tables()).parse(raw).fields


@pytest.mark.parametrize(
    ("cookie", "host", "expected"),
    [
        (None, "gw.test", NOTHING),
        ("a=b", "gw.test", NOTHING),
        (f"{NAME}={SECRET}", "gw.test", LOGIN),
        (f"a=b; {NAME}={SECRET}; c=d", "gw.test", LOGIN),
        (f"{NAME}={SECRET}", "gw.test:443", LOGIN),
        (f"{NAME}={SECRET}", "gw.test:8443", NOTHING),
        (f"{NAME}-8443={SECRET}", "gw.test:8443", LOGIN),
        (f"{NAME}-8443={SECRET}", "gw.test", NOTHING),
        (f"{NAME}-8443={SECRET}; {NAME}={SECRET}", "gw.test:8443", LOGIN),
        (f"{NAME}={SECRET}; {NAME}={SECRET}", "gw.test", TWICE),
        (f"{NAME}={SECRET}; {NAME}=", "gw.test", TWICE),
        (f"{NAME}=", "gw.test", ENDED),
        (f"{NAME}={SECRET}x", "gw.test", ENDED),
        (f'{NAME}="{SECRET}"', "gw.test", ENDED),
        (f"{NAME}={SECRET[:-1]}B", "gw.test", ENDED),
        (f"{NAME}={TOKEN}", "gw.test", ENDED),  # a token is no cookie
        (f"{NAME.lower()}={SECRET}", "gw.test", NOTHING),
        (NAME, "gw.test", NOTHING),
    ],
)
def test_the_session_that_a_cookie_claims(cookie, host, expected):
    assert expected == claim_of(fields(cookie, host))


@pytest.mark.parametrize(
    ("authorization", "query", "expected"),
    [
        (f"token {TOKEN}", "", GOOD),
        (f"Token {TOKEN}", "", GOOD),
        (f"Bearer {TOKEN}", "", GOOD),
        (f"bearer   {TOKEN}", "", GOOD),
        (None, f"token={TOKEN}", GOOD),
        (None, f"a=b&token={TOKEN}&c", GOOD),
        (None, f"%74oken={TOKEN.replace('_', '%5F', 1)}", GOOD),
        (f"Bearer {TOKEN}", f"token={TOKEN}", GOOD),
        # of ours by its beginning, and none
        (f"token {TOKEN}x", "", BAD),
        (f"token {TOKEN[:-1]}", "", BAD),
        (f"token {TOKEN} x", "", BAD),
        ("token nbgp_", "", BAD),
        (None, "token=nbgp_", BAD),
        (f"token {TOKEN}", f"token={OTHER}", BAD),
        (None, f"token={TOKEN}&token={OTHER}", BAD),
        # somebody else's
        ("token 5ecret", "", NOTHING),
        ("Bearer 5ecret", "", NOTHING),
        ("Basic bmJncF86eA==", "", NOTHING),
        (f"Basic {TOKEN}", "", NOTHING),
        (TOKEN, "", NOTHING),
        (f"token\t{TOKEN}", "", NOTHING),
        (f"token {SECRET}", "", NOTHING),
        ("", "", NOTHING),
        (None, f"access_token={TOKEN}", NOTHING),
        (None, f"xtoken={TOKEN}", NOTHING),
        (None, "token=5ecret", NOTHING),
        (None, "token", NOTHING),
        ("token 5ecret", f"token={TOKEN}", GOOD),
    ],
)
def test_the_session_that_a_token_claims(authorization, query, expected):
    assert expected == claim_of(fields(authorization=authorization), query)


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        (f"{NAME}={SECRET}", BOTH),
        (f"{NAME}=", BOTH),
        (f"{NAME}={SECRET}; {NAME}={SECRET}", BOTH),
        (f"{NAME}-8443={SECRET}", GOOD),
        ("a=b", GOOD),
    ],
)
def test_a_token_beside_our_cookie_is_refused(cookie, expected):
    assert expected == claim_of(fields(cookie, authorization=f"token {TOKEN}"))
    assert expected == claim_of(fields(cookie), f"token={TOKEN}")


def test_a_token_that_is_not_ours_takes_nothing_from_the_cookie():
    assert LOGIN == claim_of(fields(f"{NAME}={SECRET}", authorization="token 5ecret"), "token=5ecret")


def test_a_cookie_and_a_token_of_the_same_bytes_are_two_sessions():
    assert LOGIN.key != GOOD.key


@pytest.mark.parametrize(
    ("cookie", "host", "expected"),
    [
        (None, "gw.test", ""),
        (f"{DEVICE_NAME}={DEVICE}", "gw.test", DEVICE),
        (f"{NAME}={SECRET}; {DEVICE_NAME}={DEVICE}", "gw.test", DEVICE),
        (f"{DEVICE_NAME}-8443={DEVICE}", "gw.test:8443", DEVICE),
        (f"{DEVICE_NAME}={DEVICE}", "gw.test:8443", ""),
        (f"{DEVICE_NAME}={DEVICE}; {DEVICE_NAME}={DEVICE}", "gw.test", ""),
        (f"{DEVICE_NAME}=v1.x", "gw.test", ""),
        (f"{DEVICE_NAME}={DEVICE}x", "gw.test", ""),
        (f"{NAME}={DEVICE}", "gw.test", ""),
    ],
)
def test_what_could_be_a_device_cookie(cookie, host, expected):
    assert expected == device_cookie_of(fields(cookie, host))
