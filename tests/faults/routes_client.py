"""A program that adds and removes routes by the gateway's interface for programs, with a token; and where they lead."""

import contextlib
import http.client
import json
from urllib.parse import quote

from nbgate.testing.stub_upstream import StubUpstream, answer

ROUTES = "/_nbgate/api/routes"
UPSTREAM_TOKEN = "token-of-a-notebook-server"


def notebook_server(says):
    """Return a stub of a server that wants its token: what wants none is mounted by the configuration alone."""

    def respond(request):
        if request.values("authorization") == [f"token {UPSTREAM_TOKEN}"]:
            return answer(says)
        if request.target == "/api":
            return answer(b'{"version": "2.0.0"}', content_type="application/json")
        return answer(b"", status="403 Forbidden")

    return StubUpstream(respond=respond)


class RoutesClient:
    """Asks on a connection of its own, which `with RoutesClient(...)` closes."""

    def __init__(self, gateway, token):
        self._gateway = gateway
        self._headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        self._connection = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.hang_up()

    def hang_up(self):
        """Ask the next thing on a new connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def add(self, at, port, **more):
        """Return the status: 201 for a new route, 200 for one that was changed."""
        value = {"at": at, "upstream": f"127.0.0.1:{port}", "base_url": "/", "token": UPSTREAM_TOKEN, **more}
        return self._ask("POST", ROUTES, json.dumps(value))[0]

    def remove(self, at):
        """Return the status: 204 for one that was there."""
        return self._ask("DELETE", f"{ROUTES}?at={quote(at, safe='')}")[0]

    def added(self):
        """Return where the routes are that were added, None while nobody can say."""
        status, body = self._ask("GET", ROUTES)
        if status == 503:
            return None
        assert 200 == status, body
        return {route["at"] for route in json.loads(body)["routes"] if route["source"] == "runtime"}

    def maybe(self, call, *args):
        """Return what `call` returns, None when there was no whole answer."""
        try:
            return call(*args)
        except (OSError, http.client.HTTPException):
            self.hang_up()
            return None

    def _ask(self, method, path, body=None):
        if self._connection is None:
            context = self._gateway.certificate.client_context()
            self._connection = http.client.HTTPSConnection("localhost", self._gateway.port, timeout=20, context=context)
        self._connection.request(method, path, body=body, headers=self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def new_token(gateway):
    """Return a token that may change routes."""
    made = gateway.command("token", "add", "ada", "--name", "routes", "--scope", "routes-admin")
    assert 0 == made.returncode, made.stderr
    return made.stdout.strip()


@contextlib.contextmanager
def asking(gateway, cookie):
    """Give a function that asks on one kept connection, and returns status and body."""
    context = gateway.certificate.client_context()
    connection = http.client.HTTPSConnection("localhost", gateway.port, timeout=20, context=context)

    def ask(path):
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        return answer.status, answer.read()

    with contextlib.closing(connection):
        yield ask
