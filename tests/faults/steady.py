"""People who go on working on one route while others come, change and go: requests at a steady pace, none asked twice."""

import http.client
import threading
import time


class Steady:
    """`clients` that together ask for `path` `per_second` times, every `fresh_every`th time on a new connection.

    Attributes:
        answered: How many times it was 200.
        failed: What else happened.
    """

    def __init__(self, gateway, cookie, path, *, clients=4, per_second=200, fresh_every=50):
        self.answered = 0
        self.failed = []
        self._gateway = gateway
        self._path = path
        self._headers = {"Cookie": cookie}
        self._pause = clients / per_second
        self._fresh_every = fresh_every
        self._context = gateway.certificate.client_context()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]

    def __enter__(self):
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def per_second(self):
        """Return how many were answered each second since the beginning."""
        return self.answered / (time.monotonic() - self._began)

    def _run(self, number):
        due = time.monotonic() + number * self._pause / len(self._threads)
        while not self._stop.is_set():
            connection = http.client.HTTPSConnection("localhost", self._gateway.port, timeout=20, context=self._context)
            for _ in range(self._fresh_every):
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    break
                due += self._pause
                if not self._ask(connection):
                    break
            connection.close()

    def _ask(self, connection):
        try:
            connection.request("GET", self._path, headers=self._headers)
            answer = connection.getresponse()
            seen = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            seen = repr(error)
        with self._lock:
            if seen == (200, b"ok"):
                self.answered += 1
                return True
            self.failed.append(seen)
            return False
