"""`make run` as a person sees it: user and password once, then the link; Ctrl-C ends everything."""

import http.client
import json
import os
import re
import signal
import ssl
import sys
import urllib.parse
from pathlib import Path

import pytest

from nbgate.testing.jupyter import find_jupyter_lab
from nbgate.testing.process import Program, descendants, is_running
from nbgate.testing.wait import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture
def demo(tmp_path):
    words = ["--folder", str(tmp_path / "run"), "--port", "0"]
    path = os.pathsep.join([str(Path(find_jupyter_lab()).parent), os.environ["PATH"]])
    program = Program([sys.executable, "-m", "nbgate.testing.demo", *words], tmp_path / "said", {"PATH": path})
    program.start()
    yield program
    program.end()


def log_in(url, user, password):
    """Log in as the greeting says; return the status."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # self-signed, as the greeting says
    connection = http.client.HTTPSConnection(urllib.parse.urlsplit(url).netloc, timeout=20, context=context)
    body, headers = json.dumps({"username": user, "password": password}), {"Content-Type": "application/json"}
    connection.request("POST", "/_nbgate/api/login", body=body, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_greeting_is_true_and_ctrl_c_ends_everything(demo):
    url = demo.wait_for_line(r"listening on (https://\S+)", deadline_seconds=90)[1]
    said = demo.said()
    user, password = (re.search(rf"{word}: +(\S+)", said)[1] for word in ("user", "password"))
    assert 1 == said.count(password)
    assert 200 == log_in(url, user, password)
    family = descendants(demo.pid)
    assert len(family) > 3
    demo.process.send_signal(signal.SIGINT)
    assert 0 == demo.wait(30)
    wait_until(lambda: not [pid for pid in family if is_running(pid)], what="the end of all of them")
