"""Routes through the running gateway, and in the store while none runs."""

import json

import pytest
import trustme

ROUTE = {
    "at": "/lab1/",
    "upstream": "127.0.0.1:8889",
    "base_url": "",
    "source": "runtime",
    "product": "JupyterLab",
    "condition": "guarded",
    "since": None,
    "allow": ["ada", "bob"],
    "hint": "",
}
LOST = ROUTE | {"at": "", "allow": [], "hint": "another server is there"}


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "lab.token"
    path.touch(0o600)
    path.write_text("5ecre7\n")
    return str(path)


@pytest.fixture
def authority(tmp_path):
    path = tmp_path / "ca.pem"
    path.touch(0o644)
    path.write_bytes(trustme.CA().cert_pem.bytes())
    return path


def asked(gateway):
    return [(method, path, sent) for method, path, _, sent in gateway.asked]


def test_a_route_is_asked_for_in_the_gateway(run, gateway):
    gateway.answers += [(201, ROUTE), (201, ROUTE)]
    said = "nbgate: 127.0.0.1:8889 is mounted at /lab1/\n  hint: nbgate routes list says how it is\n"
    assert (0, "", said) == run("routes", "add", "/lab1/", "localhost:8889")
    assert 0 == run("routes", "add", "/lab1/=localhost:8889")[0]
    assert [("POST", "/routes", {"at": "/lab1/", "upstream": "localhost:8889"})] * 2 == asked(gateway)


def test_what_files_hold_is_sent_and_not_their_names(run, gateway, token_file, authority):
    gateway.answers.append((200, ROUTE))
    code, out, err = run(
        *("routes", "add", "/lab1/", "https://localhost:8889", "--base-url", "/x/", "--token-file", token_file),
        *(
            "--allow",
            "ada, bob",
            "--allow-open",
            "--health",
            "api/status",
            "--ca-file",
            str(authority),
            "--format=json",
        ),
    )
    assert (0, ROUTE, "") == (code, json.loads(out), err)
    body = {
        "at": "/lab1/",
        "upstream": "https://localhost:8889",
        "base_url": "/x/",
        "token": "5ecre7",
        "allow": ["ada", "bob"],
        "health": "api/status",
        "ca": authority.read_text(),
        "allow_open": True,
    }
    assert [("POST", "/routes", body)] == asked(gateway)


def test_routes_are_listed_for_people_and_for_programs(run, gateway):
    gateway.answers += [(200, {"routes": [ROUTE, LOST]})] * 2
    code, out, err = run("routes", "list")
    lines = out.splitlines()
    assert ["/lab1/", "127.0.0.1:8889", "-", "runtime", "JupyterLab", "guarded", "ada,bob"] == lines[1].split()
    assert ["-", "all"] == [lines[2].split()[0], lines[2].split()[-1]]
    assert (0, "  hint: 127.0.0.1:8889: another server is there\n") == (code, err)
    code, out, err = run("routes", "list", "--format", "json")
    assert (0, [ROUTE, LOST], "") == (code, json.loads(out), err)


def test_a_route_is_removed_by_its_place(run, gateway):
    gateway.answers.append((204, None))
    assert (0, "", "nbgate: nothing is mounted at lab.example/a b/ any more\n") == run(
        "routes", "remove", "lab.example/a b/"
    )
    assert [("DELETE", "/routes?at=lab.example%2Fa%20b%2F", None)] == asked(gateway)


@pytest.mark.parametrize(("status", "code"), [(400, 2), (404, 1), (409, 1)])
def test_a_refusal_is_told_with_its_hint(run, gateway, status, code):
    gateway.answers.append((status, {"error": "it cannot be", "hint": "do otherwise"}))
    assert (code, "", "nbgate: it cannot be\n  hint: do otherwise\n") == run("routes", "add", "/x/", "localhost:1")


@pytest.mark.parametrize("at", ["/lab1/", "/lab1/="])
def test_a_place_without_a_server_is_mistyped(run, folder, at):
    code, _, err = run("routes", "add", at)
    assert (2, f"nbgate: which server is to be mounted at {at}") == (code, err.splitlines()[0])


def test_a_token_that_others_can_read_is_not_sent(run, gateway, token_file, tmp_path):
    (tmp_path / "lab.token").chmod(0o644)
    code, _, err = run("routes", "add", "/lab1/", "localhost:8889", "--token-file", token_file)
    assert (78, [], True) == (code, gateway.asked, "can be read by others" in err)


def test_while_no_gateway_runs_routes_are_changed_in_the_store(run, folder, token_file):
    added = run("routes", "add", "/lab1/", "localhost:8889", "--token-file", token_file, "--format=json")
    assert (0, "/lab1/", "runtime") == (added[0], json.loads(added[1])["at"], json.loads(added[1])["source"])
    assert 0 == run("routes", "add", "/lab1/", "localhost:8890")[0]
    assert 0 == run("routes", "add", "lab2.example/", "localhost:8891", "--allow", "ada")[0]
    routes = json.loads(run("routes", "list", "--format", "json")[1])
    assert [("/lab1/", "127.0.0.1:8890"), ("lab2.example/", "127.0.0.1:8891")] == [
        (route["at"], route["upstream"]) for route in routes
    ]
    assert {"", "unknown"} == {value for route in routes for value in (route["hint"], route["condition"])}
    assert 0 == run("routes", "remove", "/lab1/")[0]
    assert (1, "", "nbgate: there is no route at /lab1/\n  hint: nbgate routes list shows which there are\n") == (
        run("routes", "remove", "/lab1/")
    )
    assert ["lab2.example/"] == [route["at"] for route in json.loads(run("routes", "list", "--format", "json")[1])]


def test_while_no_gateway_runs_the_same_is_refused(run, folder, tmp_path):
    (tmp_path / "own.toml").write_text('upstream = ["/lab1/=localhost:8888"]\n')
    where = ("--config", "own.toml")
    code, _, err = run("routes", "add", "/lab1/", "localhost:8889", *where)
    assert (1, "nbgate: the configuration mounts 127.0.0.1:8888 at /lab1/") == (code, err.splitlines()[0])
    code, _, err = run("routes", "add", "lab1", "localhost:8889", *where)
    assert (2, "nbgate: 'lab1' does not say where", "  hint: did you mean /lab1/?") == (code, *err.splitlines())
    assert (2, True) == _own(run, folder)
    (route,) = json.loads(run("routes", "list", "--format", "json", *where)[1])
    assert ("/lab1/", "configuration") == (route["at"], route["source"])
    assert 1 == run("routes", "remove", "/lab1/", *where)[0]


def _own(run, folder):
    code, _, err = run("routes", "add", "/x/", f"unix:{folder}/control.sock")
    return code, "is nbgate itself" in err
