"""The first run: from no account at all to somebody who is logged in, by a link and on a terminal."""

import json
import os
import re
import socket
import subprocess
import sys

import pexpect
import pyotp
import pytest
from playwright.sync_api import expect

from nbgate.testing.browser import Recorder, recorded_context, running_chromium
from nbgate.testing.gateway import CHEAP_LOGIN, prepare_gateway
from nbgate.testing.stub_upstream import StubUpstream
from nbgate.testing.wait import wait_until

PASSWORD = "a parrot on the third shelf"
WEAK = "monkeydragon12"
SECOND_STEP = r"Add a code from an app on your phone as a second step\? \[y/N\] "
ALL, LOOPBACK = {"0.0.0.0", "[::]"}, {"127.0.0.1", "[::1]"}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def stub():
    with StubUpstream().in_thread() as stub:
        yield stub


@pytest.fixture(scope="module")
def upstream(stub):
    return f"127.0.0.1:{stub.port}"


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def gateway(request, tmp_path, upstream):
    """A gateway for everybody, with a link for whoever comes first."""
    flags = ("--allow-open-upstream", "--ip", "*")
    gateway = prepare_gateway(tmp_path, upstream, flags=flags, workers=request.param, config=CHEAP_LOGIN)
    gateway.program.start()
    try:
        gateway.port = int(gateway.program.wait_for_line(r"listening on https://localhost:(\d+)")[1])
        gateway.program.wait_for_line(r"within 15 minutes")
        yield gateway
    finally:
        gateway.program.end()


def listening(port) -> set[str]:
    """Return the addresses on which somebody listens on `port`, as `ss` says."""
    shown = subprocess.run(["ss", "-ltnH", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    return {line.split()[3].rpartition(":")[0] for line in shown.splitlines()}


def link_of(gateway) -> str:
    return (gateway.data / "setup-link").read_text().strip()


def test_before_there_is_a_user_only_this_machine_is_listened_to_and_the_link_is_said_nowhere(gateway):
    said = gateway.program.said()
    link, file = link_of(gateway), gateway.data / "setup-link"

    assert listening(gateway.port) == LOOPBACK
    assert 0o100600 == file.stat().st_mode
    assert f"the link that makes the first account is in {file}\n" in said
    assert "nbgate: not on *, before there is a user\n" in said
    assert re.fullmatch(rf"{gateway.base_url}/_nbgate/setup/[A-Za-z0-9_-]{{43}}", link)
    assert link.rpartition("/")[2] not in said
    assert [gateway.base_url + "/"] == gateway.status()["listening"]


def test_the_link_leads_through_the_page_to_the_notebook_and_opens_the_house(gateway, stub):
    link, recorder = link_of(gateway), Recorder()
    token = link.rpartition("/")[2]
    with gateway.client() as early, running_chromium() as browser, recorded_context(browser, recorder) as context:
        early.send(f"GET /_nbgate/health HTTP/1.1\r\nHost: {gateway.host}\r\n\r\n".encode())
        assert 200 == early.read_answer().status
        page = context.new_page()
        page.goto(link)
        page.get_by_label("User name").fill("ada")
        page.get_by_label("Password at least").fill(PASSWORD)
        page.get_by_label("Password, once more").fill(PASSWORD + "!")
        page.get_by_role("button", name="Make the account").click()
        expect(page.get_by_role("alert")).to_have_text("The two passwords differ. Type both once more.")
        page.get_by_label("Password at least").fill(PASSWORD)
        page.get_by_label("Password, once more").fill(PASSWORD)
        page.get_by_role("button", name="Make the account").click()
        page.wait_for_url(gateway.base_url + "/")

        assert ["ok"] == [page.inner_text("body")]
        assert listening(gateway.port) == ALL
        early.send(f"GET /_nbgate/health HTTP/1.1\r\nHost: {gateway.host}\r\n\r\n".encode())
        assert 200 == early.read_answer().status
        socket.create_connection(("127.0.0.2", gateway.port), timeout=5).close()
        again = page.goto(link)
        assert (410, True) == (again.status, "This link is over" in page.inner_text("main"))
    check_nothing_remembers(gateway, token)
    arrived = b"".join(bytes(connection.received) for connection in stub.connections)
    assert (True, False) == (b"GET / HTTP/1.1" in arrived, token.encode() in arrived)  # not as a referrer either
    assert f"nbgate: listening on https://{socket.gethostname()}:{gateway.port}/\n" in gateway.program.said()


def check_nothing_remembers(gateway, token):
    wait_until(
        lambda: 410 in {record.get("http.response.status_code") for record in gateway.audit()}, what="the last record"
    )
    written = b"".join(path.read_bytes() for path in gateway.data.rglob("*") if path.is_file())
    assert (False, False) == (token.encode() in written, token in gateway.program.said())
    paths = {record["url.path"] for record in gateway.audit() if "/setup" in record.get("url.path", "")}
    assert {"/_nbgate/setup/…"} == paths
    made = [record for record in gateway.audit() if record["event.action"] == "user.change"]
    assert [("ada", "setup link")] == [(record["user.target.name"], record["nbgate.actor"]) for record in made]


def test_an_account_from_the_command_line_opens_the_house_too_and_ends_the_link(gateway):
    link = link_of(gateway)
    gateway.add_user()
    wait_until(lambda: listening(gateway.port) == ALL, what="listening everywhere", deadline_seconds=5)

    assert 410 == gateway.request("GET", link.removeprefix(gateway.base_url))[0]
    assert 200 == gateway.request("GET", "/", headers={"Cookie": gateway.login()})[0]
    wait_until(lambda: not (gateway.data / "setup-link").exists(), what="the file to go")


@pytest.mark.parametrize("role", ["keeper", "worker"])
def test_whoever_dies_meanwhile_it_comes_to_the_same_end(gateway, role):
    (first, *_) = gateway.processes(role)
    link = link_of(gateway)
    os.kill(first, 9)
    wait_until(lambda: first not in gateway.processes(role) and gateway.processes(role), what=f"another {role}")
    if role == "keeper":
        wait_until(lambda: (gateway.data / "setup-link").exists() and link_of(gateway) != link, what="another link")
    assert listening(gateway.port) == LOOPBACK
    wait_until(lambda: is_added(gateway), what="the account")
    os.kill(gateway.processes(role)[0], 9)
    wait_until(lambda: listening(gateway.port) == ALL, what="listening everywhere", deadline_seconds=5)
    for _ in range(5):  # whichever worker accepts
        wait_until(lambda: answers(gateway), what="an answer", deadline_seconds=5)


def is_added(gateway) -> bool:
    try:
        gateway.add_user()
    except RuntimeError:
        return False
    return True


def answers(gateway) -> bool:
    try:
        return gateway.request("GET", "/_nbgate/login")[0] == 200
    except OSError:
        return False


def test_a_reload_makes_another_link_while_there_is_no_user(gateway):
    first = link_of(gateway)
    done = gateway.command("reload")

    assert (0, True) == (
        done.returncode,
        f"a new link that makes the first account is in {gateway.data}" in done.stderr,
    )
    assert [410, 200] == [
        gateway.request("GET", link.removeprefix(gateway.base_url))[0] for link in (first, link_of(gateway))
    ]


@pytest.fixture
def terminal(tmp_path, upstream):
    """Start a gateway on a terminal of its own."""
    started = []

    def start(*flags):
        gateway = prepare_gateway(tmp_path, upstream, flags=("--allow-open-upstream", *flags), config=CHEAP_LOGIN)
        environment = {**os.environ, **gateway.program.environment}
        child = pexpect.spawn(
            sys.executable, list(gateway.program.command)[1:], env=environment, encoding="utf-8", timeout=30, echo=False
        )
        started.append(child)
        return gateway, child

    yield start
    for child in started:
        child.close(force=True)


def type_password(child, first, second=None):
    child.expect("Password, at least 12 characters: ")
    child.sendline(first)
    if second is not None:
        child.expect("Once more: ")
        child.sendline(second)


def end(child) -> int:
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def test_on_a_terminal_the_account_is_asked_for_before_anybody_listens(terminal):
    gateway, child = terminal("--ip", "*")
    child.expect(r"nobody can sign in yet: make the first account\r\nUser name \[[^]]+\]: ")
    child.sendline("A da")
    child.expect("this is no user name\r\n  hint: use 1 to 64")
    child.expect("User name")
    child.sendline("Ada")
    type_password(child, "too short")
    child.expect("this password cannot be set\r\n  hint: use at least 12 characters")
    type_password(child, PASSWORD, "a parrot on another shelf")
    child.expect("the two passwords differ\r\n  hint: type both once more")
    type_password(child, "passwordpassword12")
    child.expect("this password cannot be set\r\n  hint: this one stands in every list")
    type_password(child, WEAK, WEAK)
    child.expect(r"strength: weak; whoever steals its hash would guess for: 32 seconds\r\n.*all the same\? \[y/N\] ")
    child.sendline("n")
    type_password(child, PASSWORD, PASSWORD)
    child.expect("strength: strong")
    child.expect("user ada: added")
    child.expect(SECOND_STEP)
    child.sendline("")
    child.expect(r"listening on https://localhost:(\d+)/")
    gateway.port = int(child.match[1])

    assert listening(gateway.port) == ALL
    assert 200 == gateway.request("GET", "/", headers={"Cookie": gateway.login("ada", PASSWORD)})[0]
    assert PASSWORD not in child.before
    assert not (gateway.data / "setup-link").exists()
    assert 0 == end(child)

    _, child = terminal("--ip", "*")  # now there is an account: nobody is asked
    child.expect(r"listening on https://localhost:(\d+)/")
    assert "User name" not in child.before
    assert 0 == end(child)


def test_on_a_terminal_a_second_step_is_set_up_before_anybody_listens(terminal):
    gateway, child = terminal()
    child.expect("User name")
    child.sendline("ada")
    type_password(child, PASSWORD, PASSWORD)
    child.expect(SECOND_STEP)
    child.sendline("y")
    child.expect(r"Secret: ([A-Z2-7 ]+)\r\n")
    secret = child.match[1].replace(" ", "")
    child.expect("Code that the app shows now: ")
    child.sendline(pyotp.TOTP(secret).now())
    child.expect("user ada: a code is asked for beside the password")
    child.expect(r"not shown again:\r\n((?:[A-Z2-7-]+\r\n){10})")
    recovery = child.match[1].split()
    child.expect(r"listening on https://127.0.0.1:(\d+)/")
    gateway.port = int(child.match[1])

    assert [401, 200, 401] == [log_in(gateway, **code) for code in ({}, {"code": recovery[0]}, {"code": recovery[0]})]
    assert 0 == end(child)


def log_in(gateway, **code) -> int:
    """Log in as a script does; return the status."""
    body = json.dumps({"username": "ada", "password": PASSWORD, **code})
    return gateway.request("POST", "/_nbgate/api/login", body=body, headers={"Content-Type": "application/json"})[0]


@pytest.mark.parametrize(("ended_by", "code"), [("\x04", 1), ("\x03", 130)])
def test_who_wants_no_account_gets_no_gateway_and_the_terminal_back(terminal, ended_by, code):
    gateway, child = terminal()
    child.expect("User name")
    child.send(ended_by)
    child.expect(pexpect.EOF)
    child.close()

    assert (code, False) == (child.exitstatus, gateway.data.exists())
    assert code == 130 or "no account was made, and nobody could sign in without one\r\n  hint: " in child.before


def test_an_open_upstream_is_refused_after_the_dialogue_as_it_is_without(tmp_path, upstream):
    gateway = prepare_gateway(tmp_path, upstream, config=CHEAP_LOGIN)
    environment = {**os.environ, **gateway.program.environment}
    child = pexpect.spawn(
        sys.executable, list(gateway.program.command)[1:], env=environment, encoding="utf-8", timeout=30, echo=False
    )
    child.expect("User name")
    child.sendline("ada")
    type_password(child, PASSWORD, PASSWORD)
    child.expect(SECOND_STEP)
    child.sendline("n")
    child.expect("asks for no credential")
    child.expect(pexpect.EOF)
    child.close()

    assert 78 == child.exitstatus
