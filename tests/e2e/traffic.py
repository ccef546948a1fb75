"""A person who keeps asking: one request after the other on a kept connection, until told to stop."""

import collections
import http.client
import threading
import time

PAUSE_SECONDS = 0.01
PATH = "/api/contents/traffic"


class Traffic:
    """Requests of one session in a thread; counts what was answered, and where the connection was lost."""

    def __init__(self, gateway, cookie):
        self.statuses = collections.Counter()
        self.lost = 0
        self.last_ok = 0.0
        self._gateway = gateway
        self._cookie = cookie
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()

    def _run(self):
        context = self._gateway.certificate.client_context()
        connection = http.client.HTTPSConnection("localhost", self._gateway.port, timeout=10, context=context)
        while not self._stop.wait(PAUSE_SECONDS):
            try:
                connection.request("GET", PATH, headers={"Cookie": self._cookie})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                self.lost += 1
                connection.close()
            else:
                self.statuses[answer.status] += 1
                self.last_ok = time.monotonic() if answer.status == http.HTTPStatus.OK else self.last_ok
        connection.close()
