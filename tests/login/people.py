"""Browsers and scripts in front of one gateway: what each keeps of cookies, and from which address it comes."""

import http.client
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from nbgate.testing.one_loop import HOST
from nbgate.testing.raw_client import RawClient

ORIGIN = f"https://{HOST}"
SESSION = "__Host-Http-nbgate"
DEVICE = "__Host-Http-nbgate_dev"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
VARIES = frozenset({"date", "x-request-id"})
"""Header fields that differ between any two answers."""


@dataclass(frozen=True)
class Answer:
    """One answer; `fields` are its header fields in order, names in lower case."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name):
        return [value for key, value in self.fields if key == name]

    def value(self, name):
        (value,) = self.values(name)
        return value

    @property
    def fixed(self):
        """All of it that may tell one cause from another."""
        return self.status, [pair for pair in self.fields if pair[0] not in VARIES], self.body

    @property
    def cookies(self):
        pairs = (value.partition(";")[0].partition("=") for value in self.values("set-cookie"))
        return {name: value for name, _, value in pairs}


@dataclass
class Browser:
    """Somebody who keeps cookies; `address` is where they come from, 127.0.0.x."""

    gateway: object
    address: str = "127.0.0.1"
    cookies: dict = field(default_factory=dict)

    def send(self, method, path, *, body=None, form=None, headers=None):
        """Send one request as a page of ours would; take the cookies of its answer."""
        given = {"Host": HOST, "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if form is not None:
            given |= {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
            given |= {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
            body = urlencode(form)
        elif body is not None:
            given["Content-Type"] = "application/json"
            body = json.dumps(body)
        given |= headers or {}
        return self._exchange(method, path, body, {name: value for name, value in given.items() if value is not None})

    def go(self, path):
        """Go to a page by a click or by typing its address."""
        headers = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Origin": None}
        return self.send("GET", path, headers=headers)

    def sign_in(self, name="ada", password=None, code=None):
        """Log in by the JSON call."""
        offered = {"username": name, "password": password, "code": code}
        body = {key: value for key, value in offered.items() if value is not None}
        return self.send("POST", "/_nbgate/api/login", body=body)

    def sign_in_by_form(self, name, password, **more):
        """Log in by the page's form."""
        return self.send("POST", "/_nbgate/login", form={"username": name, "password": password, **more})

    def status(self, path="/api/status"):
        """Return what a program of the page gets."""
        return self.send("GET", path).status

    @contextmanager
    def websocket(self, path="/api/kernels/0/channels"):
        """Give an open websocket."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with self.gateway.client() as client:
            client.send(handshake(path, f"Cookie: {cookie}\r\nOrigin: {ORIGIN}\r\n"))
            client.read_until(b"\r\n\r\n")
            assert bytes(client.received).startswith(b"HTTP/1.1 101 "), bytes(client.received[:40])
            client.received.clear()
            yield client

    def _exchange(self, method, path, body, headers):
        context = self.gateway.tls_context(names=False)
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.gateway.port, timeout=20, context=context, source_address=(self.address, 0)
        )
        try:
            connection.request(method, path, body=body, headers=headers)
            got = connection.getresponse()
            fields = tuple((name.lower(), value) for name, value in got.getheaders())
            answer = Answer(got.status, fields, got.read())
        finally:
            connection.close()
        for name, value in answer.cookies.items():
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer


def handshake(path, lines):
    """Return a websocket handshake with these header lines."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{lines}\r\n"
    ).encode()


def close_code(client: RawClient):
    """Read until the close frame, and return its code."""
    client.read_until(b"\x88")
    at = client.received.index(b"\x88")
    return int.from_bytes(client.received[at + 2 : at + 4], "big")
