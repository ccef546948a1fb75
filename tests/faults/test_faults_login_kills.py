"""F11: kill -9 of the keeper in the middle of a burst of logins, again and again.

Pass: a login that was answered is good afterwards, one that was ended stays ended, a code that was used is used, and
who was throttled still is. `NBGATE_TEST_KILLS=100` kills that often.
"""

import contextlib
import http.client
import json
import os
import random
import signal
import sqlite3
import threading
import time

import msgspec
import pyotp
import pytest

from nbgate.cli.control import ask, maybe_connect
from nbgate.testing.gateway import running_gateway
from nbgate.testing.wait import wait_until

KILLS = int(os.environ.get("NBGATE_TEST_KILLS", "5"))
PEOPLE = 8  # who log in by password and code; each code is good once in half a minute
CONFIG = """
[throttle]
address_seconds = 36000.0
network_burst = 1000000
account_burst = 1000000
factor_burst = 1000000
global_burst = 1000000
[sessions]
per_user = 1000
[login]
memory_kib = 8192
time_cost = 1
queue = 64
"""
STRANGER = "127.0.3.3"
LATEST_KILL_SECONDS = 0.4
STEP_SECONDS = 30

pytestmark = pytest.mark.timeout(120 + 10 * KILLS)


def control(gateway, method, path, body=None):
    return ask(gateway.data, maybe_connect(gateway.data), method, path, body)


def enrol(gateway, name):
    """Give `name` a second factor; return its secret."""
    gateway.add_user(name, f"the password of {name}")
    secret = control(gateway, "POST", f"/users/{name}/totp")["secret"]
    before = pyotp.TOTP(secret).at(time.time() - STEP_SECONDS)  # the present one is for the login
    control(gateway, "POST", f"/users/{name}/totp/confirm", {"code": before, "alone": "no"})
    return secret


def sign_in(gateway, address, offered):
    """Log in from `address`; return (status, cookie), or None when there was no answer."""
    context = gateway.certificate.client_context()
    connection = http.client.HTTPSConnection(
        "localhost", gateway.port, timeout=20, context=context, source_address=(address, 0)
    )
    headers = {"Content-Type": "application/json", "Origin": gateway.base_url}
    try:
        connection.request("POST", "/_nbgate/api/login", body=json.dumps(offered), headers=headers)
        answer = connection.getresponse()
        answer.read()
        cookies = [value for name, value in answer.getheaders() if name.lower() == "set-cookie"]
        return answer.status, cookies[0].partition(";")[0] if answer.status == 200 else ""
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def status_of(gateway, cookie):
    try:
        return gateway.request("GET", "/api/status", headers={"Cookie": cookie})[0]
    except (OSError, http.client.HTTPException):
        return 0


def log_out(gateway, cookie):
    """Say whether the logout was answered with yes."""
    headers = {"Cookie": cookie, "Origin": gateway.base_url, "Content-Type": "application/json"}
    try:
        return gateway.request("POST", "/_nbgate/api/logout", headers=headers)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


class Burst:
    """Logins and logouts, one after the other on each of a few threads, until it is told to stop."""

    def __init__(self, gateway, number):
        self.good, self.ended = [], []
        self._gateway, self._number = gateway, number
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(index,)) for index in range(4)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, index):
        for count in range(1000):
            if self._stop.is_set():
                return
            address = f"127.{1 + self._number % 200}.{index + 1}.{count % 250 + 1}"
            offered = {"username": "ada", "password": self._gateway.password}
            said = sign_in(self._gateway, address, offered)
            if said is None or said[0] != 200:
                continue
            if count % 2 and log_out(self._gateway, said[1]):
                self.ended.append(said[1])
            elif not count % 2:
                self.good.append(said[1])


def counts_stored_at(gateway):
    """Return when what attempts cost was written down for the last time."""
    with contextlib.closing(sqlite3.connect(f"{(gateway.data / 'state.db').as_uri()}?mode=ro", uri=True)) as state:
        row = state.execute("SELECT value FROM small_values WHERE name = 'throttle'").fetchone()
    return msgspec.msgpack.decode(row[0])[0] if row else 0.0


@pytest.fixture
def gateway(stub, tmp_path):
    upstream = f"127.0.0.1:{stub.port}"
    with running_gateway(tmp_path, upstream, flags=("--allow-open-upstream",), config=CONFIG) as running:
        yield running


def keeper_answers(gateway):
    try:
        return gateway.request("GET", "/_nbgate/login")[0] == 200
    except OSError:
        return False


def test_nothing_that_was_said_is_forgotten_when_the_keeper_is_killed_in_a_burst_of_logins(gateway):
    chance = random.Random(11)
    people = {f"user{number}": "" for number in range(PEOPLE)}
    for name in people:
        people[name] = enrol(gateway, name)
    used, good, ended = {}, [], []
    wrong = {"username": "nobody", "password": "a wrong password"}
    assert [401] * 10 == [sign_in(gateway, STRANGER, wrong)[0] for _ in range(10)]
    since = time.time()
    assert 429 == sign_in(gateway, STRANGER, wrong)[0]
    wait_until(lambda: counts_stored_at(gateway) > since, what="the counts are stored", deadline_seconds=20)
    for number in range(KILLS):
        (keeper,) = gateway.processes("keeper")
        name = sorted(people)[number % PEOPLE]
        with Burst(gateway, number) as burst:
            code = pyotp.TOTP(people[name]).now()
            offered = {"username": name, "password": f"the password of {name}", "code": code}
            is_new = (name, code) not in used
            said = sign_in(gateway, f"127.0.4.{number % 250 + 1}", offered) if is_new else None
            if said is not None and said[0] == 200:
                used[name, code] = offered
                good.append(said[1])
            burst._stop.wait(chance.uniform(0, LATEST_KILL_SECONDS))
            os.kill(keeper, signal.SIGKILL)
            wait_until(lambda: keeper_answers(gateway), what="the keeper is back", deadline_seconds=20)
        good += burst.good
        ended += burst.ended
        for cookie in burst.good:
            assert 200 == status_of(gateway, cookie)
        for cookie in burst.ended:
            assert 401 == status_of(gateway, cookie)
        for index, again in enumerate(list(used.values())[-PEOPLE:]):
            assert 401 == sign_in(gateway, f"127.{number % 250 + 1}.5.{index + 1}", again)[0]
        assert 429 == sign_in(gateway, STRANGER, wrong)[0]
    for cookie in good[-900:]:
        assert 200 == status_of(gateway, cookie)
    for cookie in ended:
        assert 401 == status_of(gateway, cookie)
    assert len(good) > KILLS
    assert len(used) >= min(KILLS, PEOPLE) // 2
