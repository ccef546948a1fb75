"""Which session a request claims."""

import hashlib
from base64 import urlsafe_b64encode

import pytest

from nbgate.http.head import HeadLimits, HeadParser
from nbgate.pipeline.cookies import session_id_of
from nbgate.reasons import Reason
from nbgate.rules.tables import shipped_tables

RAW = bytes(range(32))
TOKEN = urlsafe_b64encode(RAW).decode().rstrip("=")
ID = hashlib.sha256(RAW).digest()
NAME = "__Host-Http-nbgate"


def fields(cookie, host="gw.test"):
    line = "" if cookie is None else f"Cookie: {cookie}\r\n"
    raw = f"GET / HTTP/1.1\r\nHost: {host}\r\n{line}\r\n".encode()
    return HeadParser(HeadLimits(), shipped_tables()).parse(raw).fields


@pytest.mark.parametrize(
    ("cookie", "host", "expected"),
    [
        (None, "gw.test", None),
        ("a=b", "gw.test", None),
        (f"{NAME}={TOKEN}", "gw.test", ID),
        (f"a=b; {NAME}={TOKEN}; c=d", "gw.test", ID),
        (f"{NAME}={TOKEN}", "gw.test:443", ID),
        (f"{NAME}={TOKEN}", "gw.test:8443", None),
        (f"{NAME}-8443={TOKEN}", "gw.test:8443", ID),
        (f"{NAME}-8443={TOKEN}", "gw.test", None),
        (f"{NAME}-8443={TOKEN}; {NAME}={TOKEN}", "gw.test:8443", ID),
        (f"{NAME}={TOKEN}; {NAME}={TOKEN}", "gw.test", Reason.DUPLICATE_COOKIE),
        (f"{NAME}={TOKEN}; {NAME}=", "gw.test", Reason.DUPLICATE_COOKIE),
        (f"{NAME}=", "gw.test", Reason.SESSION_ENDED),
        (f"{NAME}={TOKEN}x", "gw.test", Reason.SESSION_ENDED),
        (f'{NAME}="{TOKEN}"', "gw.test", Reason.SESSION_ENDED),
        (f"{NAME}={TOKEN[:-1]}B", "gw.test", Reason.SESSION_ENDED),
        (f"{NAME.lower()}={TOKEN}", "gw.test", None),
        (NAME, "gw.test", None),
    ],
)
def test_the_session_a_request_claims(cookie, host, expected):
    assert expected == session_id_of(fields(cookie, host))
