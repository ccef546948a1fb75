"""`nbgate launch` from nothing to a cell that ran, and back to nothing, whoever ends first."""

import http
import json
import os
import signal
import sys
from pathlib import Path

import lab_steps
import pytest
import secrets_hunt

from nbgate.testing.browser import HOST, running_chromium
from nbgate.testing.gateway import prepare_gateway
from nbgate.testing.jupyter import find_jupyter_lab
from nbgate.testing.process import descendants, is_running
from nbgate.testing.wait import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

START_SECONDS = 90.0
END_SECONDS = 40.0
ROOT = ["--allow-root"] if os.geteuid() == 0 else []
WITHOUT_A_GATEWAY = """
c.ServerApp.port, c.ServerApp.ip = 9999, "0.0.0.0"
c.ServerApp.certfile = c.ServerApp.keyfile = "/nowhere/mycert.pem"
c.ServerApp.token = c.IdentityProvider.token = c.PasswordIdentityProvider.token = ""
c.ServerApp.open_browser = True
"""
"""What a person may have configured for their server before: launched, it is guarded all the same."""


@pytest.fixture
def notebooks(tmp_path):
    path = tmp_path / "notebooks"
    path.mkdir()
    return path


@pytest.fixture
def runtime(tmp_path):
    """The person's runtime folder: the private folder of each launch is made in it."""
    path = tmp_path / "r"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def launched(tmp_path, notebooks, runtime):
    lab = find_jupyter_lab()
    assert lab is not None, "no JupyterLab to launch"
    (tmp_path / "jupyter").mkdir()
    (tmp_path / "jupyter" / "jupyter_server_config.py").write_text(WITHOUT_A_GATEWAY)
    environment = {
        "PATH": os.pathsep.join([str(lab.parent), os.environ["PATH"]]),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter"),
        "JUPYTER_DATA_DIR": str(tmp_path / "jupyter"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "XDG_RUNTIME_DIR": str(runtime),
        "JUPYTER_TOKEN": "of-the-person-themselves",
    }
    gateway = prepare_gateway(tmp_path / "gateway", "none", environment=environment)
    flags = ["--cert", str(gateway.certificate.pem), "--port", "0", "--disabled-rules", "upstream-shutdown"]
    server = ["jupyter", "lab", f"--ServerApp.root_dir={notebooks}", *ROOT]
    gateway.program.command = [sys.executable, "-m", "nbgate", "launch", *flags, "--", *server]
    gateway.add_user()
    gateway.program.start()
    gateway.port = int(gateway.program.wait_for_line(r"listening on https://\S+?:(\d+)", START_SECONDS)[1])
    yield gateway
    family = descendants(gateway.program.pid)
    gateway.program.end(END_SECONDS)
    wait_until(lambda: not living(family), what="the end of the family", deadline_seconds=END_SECONDS)


def living(pids):
    return [pid for pid in pids if is_running(pid)]


def call(gateway, cookie, path, body=None):
    """Do what Lab's own scripts do with the API; return the status."""
    headers = {"Cookie": cookie, "Origin": gateway.base_url, "Content-Type": "application/json"}
    return gateway.request("POST", path, body=json.dumps(body or {}), headers=headers)[0]


def run_a_cell(gateway):
    """Log in with a browser and see 42; return the session's cookie."""
    base = f"https://{HOST}:{gateway.port}"
    with running_chromium() as browser, browser.new_context(ignore_https_errors=True) as context:
        page = context.new_page()
        lab_steps.log_in(page, gateway, base)
        lab_steps.new_notebook(page, base)
        lab_steps.run_six_times_seven(page)
        return [cookie["value"] for cookie in context.cookies() if cookie["name"].startswith("__Host-Http-nbgate")]


def seen_by_others(pids):
    """Give the words and the environment of each process; what is in either is a kernel's to read, or everybody's."""
    for pid in pids:
        for name in ("cmdline", "environ"):
            path = Path(f"/proc/{pid}/{name}")
            try:
                data = path.read_bytes()
            except FileNotFoundError:  # a kernel's own helper that has just ended
                continue
            yield str(path), data


def test_from_nothing_to_a_cell_and_ctrl_c_ends_it_all(launched, runtime, tmp_path):
    (private,) = runtime.iterdir()
    token = (private / "token").read_text()
    assert 0o700 == private.stat().st_mode & 0o777
    secrets = {"token": token, "cookie": run_a_cell(launched)[0]}
    family = descendants(launched.program.pid)
    words = dict(seen_by_others(family))
    assert any(b"ipykernel_launcher" in text for text in words.values())
    assert not any(
        b"of-the-person-themselves" in words[f"/proc/{pid}/environ"] for pid in family if is_kernel(words, pid)
    )
    launched.program.process.send_signal(signal.SIGINT)
    assert 0 == launched.program.wait(END_SECONDS)
    wait_until(lambda: not living(family), what="the end of all of them")
    assert [] == list(runtime.iterdir())
    assert [] == secrets_hunt.find(secrets, [*words.items(), *secrets_hunt.files_below(launched.folder)])
    assert "Serving notebooks" in (launched.data / "notebook-server.log").read_text()


def is_kernel(words, pid):
    return b"ipykernel_launcher" in words.get(f"/proc/{pid}/cmdline", b"")


def test_killed_it_leaves_no_server_no_kernel_and_no_gateway(launched):
    cookie = launched.login()
    assert http.HTTPStatus.CREATED == call(launched, cookie, "/api/kernels", {"name": "python3"})
    family = descendants(launched.program.pid)
    words = dict(seen_by_others(family))
    assert [True] == [is_kernel(words, pid) for pid in family if is_kernel(words, pid)]
    launched.program.process.kill()
    wait_until(lambda: not living(family), what="the end of all of them", deadline_seconds=END_SECONDS)


def test_shut_down_in_lab_ends_the_gateway_too(launched, runtime):
    """Where the rule that closes it is out of force."""
    cookie = launched.login()
    family = descendants(launched.program.pid)
    assert http.HTTPStatus.OK == call(launched, cookie, "/api/shutdown")
    assert 0 == launched.program.wait(END_SECONDS)
    assert "nbgate: jupyter lab ended; the gateway ends too\n" in launched.program.said()
    wait_until(lambda: not living(family), what="the end of all of them")
    assert [] == list(runtime.iterdir())
