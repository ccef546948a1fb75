"""The whole program, two workers, over TLS, in front of a stub that shows every byte: what rules close stays closed."""

import pytest

from nbgate.testing.gateway import CHEAP_LOGIN, prepare_gateway, run_command, running_gateway
from nbgate.testing.stub_upstream import StubUpstream
from nbgate.testing.wait import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CONFIG = f"""
server_proxy_ports = [8050, 5006]
disabled_rules = ["upstream-logout"]
[penalties]
threshold_seconds = 0.5
longest_seconds = 0.5
[probe]
interval_seconds = 86400.0
{CHEAP_LOGIN}
"""
CLOSED = [
    ("POST", "/login"),
    ("POST", "/L%6Fgin/"),
    ("POST", "/api/shutdown"),
    ("POST", "/API/%73hutdown/"),
    ("GET", "/proxy/22/"),
    ("GET", "/Proxy/8050/"),
    ("GET", "/proxy/%38050/"),
    ("GET", "/proxy/8051/"),
    ("GET", "/proxy/localhost:8050/"),
    ("GET", "/proxy/absolute/169.254.169.254:80/"),
    ("GET", "/proxy/[::1]:22/"),
    ("GET", "/proxy/test@evil.com/"),
]


@pytest.fixture(scope="module")
def stub():
    with StubUpstream().in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(stub, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    flags = ("--allow-open-upstream",)
    with running_gateway(folder, f"127.0.0.1:{stub.port}", flags=flags, config=CONFIG, workers=2) as running:
        yield running


def status(gateway, method, path, cookie=""):
    headers = {"Origin": gateway.base_url} | ({"Cookie": cookie} if cookie else {})
    return gateway.request(method, path, headers=headers)[0]


def opened(gateway, cookie):
    return [status(gateway, "GET", f"/proxy/{port}/", cookie) for port in (8050, 5006)]


def test_what_is_closed_is_refused_with_no_byte_to_the_upstream(gateway, stub):
    cookie, before = gateway.login(), stub.received_bytes
    assert dict.fromkeys(CLOSED, 403) == {case: status(gateway, *case, cookie) for case in CLOSED}
    assert dict.fromkeys(CLOSED, 403) == {case: status(gateway, *case) for case in CLOSED}
    assert before == stub.received_bytes
    recorded = wait_until(
        lambda: found if len(found := [r["rule.id"] for r in gateway.audit() if "rule.id" in r]) == 24 else None,
        what="the records",
    )
    assert {"upstream-login": 4, "upstream-shutdown": 4, "server-proxy": 16} == {
        rule: recorded.count(rule) for rule in set(recorded)
    }


def test_what_is_listed_or_disabled_is_open(gateway, stub):
    cookie, before = gateway.login(), len(stub.requests)
    asked = [("GET", "/proxy/8050/a"), ("POST", "/proxy/5006"), ("GET", "/lab")]
    assert [200, 200, 200] == [status(gateway, *case, cookie) for case in asked]
    assert [f"{method} {path} HTTP/1.1" for method, path in asked] == [r.line for r in stub.requests[before:]]
    assert status(gateway, "POST", "/logout", cookie) != 403


def test_scanning_costs_strangers_of_every_worker_and_ends(gateway):
    cookie = gateway.login()
    assert 401 == status(gateway, "GET", "/.env")
    wait_until(lambda: status(gateway, "GET", "/lab") == 429, what="the penalty")
    assert 200 == status(gateway, "GET", "/lab", cookie)
    wait_until(lambda: status(gateway, "GET", "/lab") == 401, what="the end of the penalty")
    wait_until(
        lambda: [r["rule.id"] for r in gateway.audit() if r["event.action"] == "penalty"] == ["scanner-secrets"],
        what="the record of the penalty",
    )


def test_a_reload_opens_and_closes_ports(gateway):
    cookie, file = gateway.login(), gateway.folder / "nbgate.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("[8050, 5006]", "[5006]"), encoding="utf-8")
    assert 0 == gateway.command("reload").returncode
    wait_until(lambda: opened(gateway, cookie) == [403, 200], what="the closed port")
    file.write_text(text.replace("[8050, 5006]", "[22]"), encoding="utf-8")
    refused = gateway.command("reload")
    assert (78, True) == (refused.returncode, "port 22 is not opened: SSH" in refused.stderr)
    assert [403, 200] == opened(gateway, cookie)
    file.write_text(text, encoding="utf-8")
    assert 0 == gateway.command("reload").returncode
    wait_until(lambda: opened(gateway, cookie) == [200, 200], what="the opened port")


def test_a_rule_that_there_is_not_stops_the_start(tmp_path):
    gateway = prepare_gateway(tmp_path, "127.0.0.1:1", config='disabled_rules = ["server-prox"]\n')
    checked = run_command(("config", "check"), gateway.program.environment)
    assert 78 == checked.returncode
    assert "there is no rule 'server-prox'" in checked.stderr
    assert "did you mean 'server-proxy'?" in checked.stderr
