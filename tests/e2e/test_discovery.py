"""Four real notebook servers, found by `nbgate` alone: what is guarded, by which credential, and who comes and goes."""

import contextlib
import hashlib
import json
import os
import re
import secrets
import signal
import urllib.parse

import pytest
import secrets_hunt
from websockets.asyncio.client import connect

from nbgate.testing.gateway import running_gateway
from nbgate.testing.jupyter import NOTEBOOK_6, NOTEBOOK_7, running_jupyter
from nbgate.testing.wait import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PASSWORD = secrets.token_urlsafe(12)
BASES = {"lab": "/lab/one/", "password": "/nb7/", "socket": "/sock/", "classic": "/classic/"}
SECONDS = 30.0


def hashed(password):
    """Return what Jupyter itself would keep of a password, in its oldest form."""
    return f"sha256:abcd:{hashlib.sha256((password + 'abcd').encode()).hexdigest()}"


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Run a Lab with a token, a Notebook 7 with a password, a server on a Unix socket, and a Notebook 6.5."""
    top = tmp_path_factory.mktemp("servers")
    runtime = top / "runtime"
    with contextlib.ExitStack() as stack:

        def run(name, **options):
            return stack.enter_context(running_jupyter(top / name, base_url=BASES[name], runtime=runtime, **options))

        yield {
            "lab": run("lab"),
            "password": run(
                "password",
                kind=NOTEBOOK_7,
                token="",
                flags=(f"--PasswordIdentityProvider.hashed_password={hashed(PASSWORD)}",),
            ),
            "socket": run("socket", flags=(f"--sock={top / 'j.sock'}",)),
            "classic": run("classic", kind=NOTEBOOK_6),
        }


@pytest.fixture(scope="module")
def gateway(servers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    file = folder / "password"
    file.touch(mode=0o600)
    file.write_text(f"{PASSWORD}\n")
    flags = ("--upstream-password-file", str(file))
    environment = {"JUPYTER_RUNTIME_DIR": str(servers["lab"].runtime)}
    with running_gateway(folder / "nbgate", "", flags=flags, environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def cookie(gateway):
    return gateway.login()


def mounted(gateway):
    """Return how each mounted server is, by its place."""
    return {upstream["mounted_at"]: upstream["condition"] for upstream in gateway.status()["upstreams"]}


def audited(gateway, action):
    return [record["message"] for record in gateway.audit() if record["event.action"] == action]


def get(gateway, path, cookie, **headers):
    return gateway.request("GET", path, headers={"Cookie": cookie, **headers})


def test_all_that_runs_is_found_guarded_and_said(gateway, servers):
    assert dict.fromkeys(BASES.values(), "guarded") == mounted(gateway)
    said = gateway.program.said()
    for name, product in (("lab", "JupyterLab"), ("password", "Jupyter Notebook"), ("classic", "Jupyter Notebook")):
        assert f"nbgate: guarding {product} at 127.0.0.1:{servers[name].port} (base URL {BASES[name]})\n" in said
    assert re.search(r"nbgate: guarding JupyterLab at unix:/\S+/j\.sock \(base URL /sock/\)\n", said)
    assert len(BASES) == len(audited(gateway, "upstream.appear"))


@pytest.mark.parametrize("base", BASES.values())
def test_each_is_served_at_its_own_base_url(gateway, cookie, base):
    assert 401 == gateway.request("GET", f"{base}api/contents")[0]
    status, _, body = get(gateway, f"{base}api/contents", cookie)
    assert (200, "directory") == (status, json.loads(body)["type"])


def test_the_root_leads_to_a_list_of_them(gateway, cookie):
    status, headers, _ = get(gateway, "/", cookie)
    assert (303, "/_nbgate/servers") == (status, headers["location"])
    _, _, body = get(gateway, "/_nbgate/servers", cookie)
    assert list(BASES.values()) != sorted(BASES.values())
    assert sorted(BASES.values()) == re.findall(r'<h2><a href="([^"]+)"', body.decode())


def test_a_password_server_that_looks_open_in_its_file_is_not(servers):
    """PREFIX 2: with a hashed password jupyter_server writes `"password": false, "token": ""`."""
    pid = servers["password"].program.pid
    said = json.loads((servers["password"].runtime / f"jpserver-{pid}.json").read_text())
    assert (False, "") == (said["password"], said["token"])


async def run_a_cell(gateway, cookie, base):
    """Start a kernel, run 6*7 on its websocket; return what it printed and the names of the handshake's headers."""
    headers = {"Cookie": cookie, "Origin": gateway.base_url}
    status, _, body = gateway.request("POST", f"{base}api/kernels", headers=headers)
    assert 201 == status
    kernel = json.loads(body)["id"]
    address = f"wss://localhost:{gateway.port}{base}api/kernels/{kernel}/channels"
    context = gateway.certificate.client_context()
    message = {
        "channel": "shell",
        "header": {"msg_id": "m", "msg_type": "execute_request", "session": "s", "username": "u", "version": "5.3"},
        "parent_header": {},
        "metadata": {},
        "content": {"code": "print(6*7)", "silent": False, "store_history": False, "user_expressions": {}},
    }
    async with connect(address, ssl=context, additional_headers=headers, origin=None) as socket:
        names = {name.lower() for name in socket.response.headers}
        await socket.send(json.dumps(message))
        async for text in socket:
            said = json.loads(text)
            if said["header"]["msg_type"] == "stream":
                return said["content"]["text"], names
    return "", names


async def test_a_server_with_a_password_works_and_its_login_stays_here(gateway, servers, cookie):
    base, root = BASES["password"], servers["password"].root
    seen = []

    def ask(method, path, *, body="", **headers):
        status, answered, content = gateway.request(
            method, f"{base}{path}", body=body, headers={"Cookie": cookie, **headers}
        )
        seen.append((f"{method} {path}", json.dumps(answered).encode() + content))
        return status, answered, content

    origin = {"Origin": gateway.base_url}
    status, _, page = ask("GET", "tree", **{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
    assert (200, True) == (status, b"jupyter-config-data" in page)
    written = json.dumps({"type": "file", "format": "text", "content": "by the gateway\n"})
    typed = {"Content-Type": "application/json"}
    assert 201 == ask("PUT", "api/contents/a.txt", body=written, **typed, **origin)[0]
    assert "by the gateway\n" == (root / "a.txt").read_text()
    assert 201 == ask("POST", "api/contents", body='{"type": "notebook"}', **typed, **origin)[0]
    assert (200, b"by the gateway\n") == ask("GET", "files/a.txt")[::2]
    assert (200, b"by the gateway\n") == ask("GET", "files/a.txt?_xsrf=of-another-mount")[::2]
    assert (
        201 == ask("POST", "api/contents", body='{"type": "file"}', **typed, **origin, **{"X-XSRFToken": "theirs"})[0]
    )
    printed, names = await run_a_cell(gateway, cookie, base)
    assert ("42\n", True) == (printed, "set-cookie" not in names)
    assert [] == [what for what, content in seen if b"set-cookie" in content]
    assert [] == secrets_hunt.find({"password": PASSWORD}, [*seen, *secrets_hunt.files_below(gateway.folder)])
    assert [] == [what for what, content in seen if re.search(rb"username-127-0-0-1|_xsrf=", content)]


async def test_a_cell_runs_on_every_server(gateway, cookie):
    for base in BASES.values():
        assert "42\n" == (await run_a_cell(gateway, cookie, base))[0]


def test_one_is_killed_and_one_is_started_while_it_runs(gateway, servers, cookie, tmp_path):
    classic = servers["classic"]
    os.kill(classic.program.pid, signal.SIGKILL)
    classic.program.wait()
    wait_until(lambda: "/classic/" not in mounted(gateway), what="the end of it in status", deadline_seconds=SECONDS)
    assert [f"127.0.0.1:{classic.port}/classic/"] == audited(gateway, "upstream.disappear")
    assert 404 == get(gateway, "/classic/api/contents", cookie)[0]
    with running_jupyter(tmp_path, base_url="/late/", runtime=classic.runtime) as late:
        wait_until(lambda: mounted(gateway).get("/late/") == "guarded", what="the late one", deadline_seconds=SECONDS)
        assert f"127.0.0.1:{late.port}/late/" == audited(gateway, "upstream.appear")[-1]
        assert 200 == get(gateway, "/late/api/contents", cookie)[0]
    wait_until(lambda: "/late/" not in mounted(gateway), what="its end", deadline_seconds=SECONDS)
    said = gateway.program.said()
    assert f"notebook server found address=127.0.0.1:{late.port}/late/" in said
    assert f"notebook server gone address=127.0.0.1:{late.port}/late/" in said


def test_no_token_and_no_password_is_anywhere(gateway, servers):
    tokens = {name: server.token for name, server in servers.items() if server.token}
    assert len(tokens) > 2
    assert [] == secrets_hunt.find({**tokens, "password": PASSWORD}, secrets_hunt.files_below(gateway.folder))


def test_with_nothing_to_guard_it_serves_and_says_so(tmp_path):
    environment = {"JUPYTER_RUNTIME_DIR": str(tmp_path / "none")}
    with running_gateway(tmp_path / "nbgate", "", environment=environment) as gateway:
        assert "nbgate: no notebook server is running; one that starts is found and guarded" in gateway.program.said()
        cookie = gateway.login()
        navigation = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
        for path in ("/", urllib.parse.quote("/lab/tree/a b.ipynb")):
            status, headers, body = get(gateway, path, cookie, **navigation)
            assert (503, "2") == (status, headers["retry-after"])
            assert "No notebook server is running" in body.decode()
        assert [] == gateway.status()["upstreams"]
        assert 200 == get(gateway, "/_nbgate/servers", cookie)[0]
