"""Every notebook server people use, at a place it was not told of: all that a person does there works."""

import functools

import pytest
import server_runs
from server_runs import SERVERS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

IN_CI = ("JupyterLab", "Notebook 7", "Notebook 6.5", "Voila")
SHAPES = {"/ at /a/b/": ("/", "/a/b/"), "/ipython/ at /lab1/": ("/ipython/", "/lab1/")}


@pytest.fixture(scope="module")
def bare_runs(tmp_path_factory):
    """Give a function that returns what the browser did at the server itself; it is done once."""
    return functools.cache(
        lambda name: server_runs.do_at_the_bare_server(SERVERS[name], tmp_path_factory.mktemp("bare"))
    )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in IN_CI else pytest.mark.servers) for n in SERVERS])
def test_a_person_works_in_a_server_that_is_elsewhere(name, shape, bare_runs, tmp_path):
    server, (base_url, place) = SERVERS[name], shape
    with (
        server_runs.server_running(server, tmp_path / "server", base_url=base_url) as running,
        server_runs.gateway_to(running, place, tmp_path) as gateway,
    ):
        seen = server_runs.do_through_the_gateway(server, running, gateway, place, tmp_path)
        server_runs.check(seen, bare_runs(name), gateway, running)
        check_own_pages(gateway, place)
    assert len(seen.recorder.answers) > 20


def test_the_whole_gateway_is_below_a_base_url(bare_runs, tmp_path):
    server, base = SERVERS["JupyterLab"], "/ipython/"
    with (
        server_runs.server_running(server, tmp_path / "server") as running,
        server_runs.gateway_to(running, "", tmp_path, "--base-url", base) as gateway,
    ):
        seen = server_runs.do_through_the_gateway(server, running, gateway, base, tmp_path, base=base)
        server_runs.check(seen, bare_runs("JupyterLab"), gateway, running)
        check_own_pages(gateway, base, base)
    assert len(seen.recorder.answers) > 20


def check_own_pages(gateway, place, base="/"):
    """See that the icon, the login and the logout of a place are the gateway's, whatever the server would say."""
    person = {"Accept": "text/html"}
    session = {**person, "Cookie": gateway.login(base=base)}
    icon = gateway.request("GET", f"{base}favicon.ico")
    assert (200, icon[2]) == gateway.request("GET", f"{place}favicon.ico")[::2]
    for headers, to in ((person, f"{base}_nbgate/login"), (session, place)):
        status, fields, _ = gateway.request("GET", f"{place}login", headers=headers)
        assert (303, to) == (status, fields["location"].partition("?")[0])
    status, _, page = gateway.request("GET", f"{place}logout", headers=session)
    assert (200, True) == (status, f'action="{base}_nbgate/logout"'.encode() in page)
