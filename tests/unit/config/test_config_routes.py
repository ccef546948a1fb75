"""Where somebody wants a notebook server, and what else is said of one."""

import pytest

from nbgate.config.addresses import AddressError
from nbgate.config.routes import (
    parse_at,
    parse_base_url,
    parse_health,
    parse_item,
    parse_items,
    parse_pin,
    parse_place,
    parse_told_base,
    spec_of,
    specs_of,
)
from nbgate.config.schema import Config, RouteOptions
from nbgate.model.route import Upstream, UpstreamTls
from nbgate.model.route_spec import RouteSpec

HERE = Upstream(host="127.0.0.1", port=8888)
HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/", ("", "/")),
        ("/lab1/", ("", "/lab1/")),
        ("/a/b.c/~d/", ("", "/a/b.c/~d/")),
        ("Lab1.Example.org/", ("lab1.example.org", "/")),
        ("lab1.example.org/x/", ("lab1.example.org", "/x/")),
        ("{user}.Example.org/", ("{user}.example.org", "/")),
        ("{user}.example.org/x/", ("{user}.example.org", "/x/")),
        ("192.0.2.7/", ("192.0.2.7", "/")),
        ("[::1]/", ("[::1]", "/")),
    ],
)
def test_a_place_is_a_prefix_a_host_or_both(text, expected):
    assert expected == parse_at(text)


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("", "'' does not say where", "for example /lab1/"),
        ("lab1", "'lab1' does not say where", "did you mean /lab1/?"),
        ("/lab1", "'/lab1' does not say where", "did you mean /lab1/?"),
        ("lab1.example.org", "'lab1.example.org' does not say where", "did you mean lab1.example.org/?"),
        ("a b", "'a b' does not say where", "for example /lab1/"),
        ("//", "'//' is not a prefix", "did you mean /?"),
        ("/a//b/", "'/a//b/' is not a prefix", "write a plain path between slashes"),
        ("/a/../", "'/a/../' is not a prefix", "write a plain path between slashes"),
        ("/%61/", "'/%61/' is not a prefix", "write a plain path between slashes"),
        ("/a?/", "'/a?/' is not a prefix", "write a plain path between slashes"),
        ("/_nbgate/", "/_nbgate/ is where nbgate's own pages are", "for example /lab1/"),
        ("/_nbgate/x/", "/_nbgate/x/ is where nbgate's own pages are", "for example /lab1/"),
        ("a.example.org/_nbgate/", "/_nbgate/ is where nbgate's own pages are", "for example /lab1/"),
        ("/{user}/", "'/{user}/' is not a prefix", "the first label of a host alone: {user}.example.org/"),
        ("{user}/", "'{user}' is not a name", "for example {user}.example.org/"),
        ("lab-{user}.example.org/", "'lab-{user}.example.org' is not a name", "a whole first label"),
        ("a.{user}.example.org/", "'a.{user}.example.org' is not a name", "a whole first label"),
        ("{name}.example.org/", "'{name}.example.org' is not a name", "a whole first label"),
        ("{user}.192.0.2.7/", "'192.0.2.7' is an address", "{user}.example.org/"),
        ("{user}./", "'' is not a name", "jupyter.example.org"),
        ("*.example.org/", "'*.example.org' is not a name", "a wildcard would take names that are not yours"),
        ("lab1.example.org:8443/", "'lab1.example.org:8443' has a port", "did you mean lab1.example.org/?"),
        ("[::1]:8443/", "'[::1]:8443' has a port", "did you mean [::1]/?"),
        ("https://lab1.example.org/", "does not say where", "did you mean lab1.example.org/?"),
        ("https://lab1.example.org", "does not say where", "did you mean lab1.example.org/?"),
        ("a_b.example.org/", "'a_b.example.org' is not a name", "underscore"),
    ],
)
def test_a_mistyped_place_is_refused_with_what_to_write(text, problem, hint):
    with pytest.raises(AddressError) as caught:
        parse_at(text)

    assert problem in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/", "/"),
        ("/ipython/lab1/", "/ipython/lab1/"),
        ("/user/a%40b/", "/user/a%40b/"),  # the base URL of a server that was found
        ("Lab1.Example.org/", "lab1.example.org/"),
        ("lab1.example.org/x/", "lab1.example.org/x/"),
        ("192.0.2.7/", "192.0.2.7/"),
        ("[::1]/x/", "[::1]/x/"),
    ],
)
def test_where_something_is_mounted(text, expected):
    assert expected == parse_place(text)


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("", "'' is no place of a notebook server", "for example /, /user/ada/"),
        ("lab1.example.org", "is no place of a notebook server", "lab1.example.org/"),
        ("/lab1", "is no place of a notebook server", "/user/ada/"),
        ("https://lab1.example.org/", "is no place of a notebook server", "lab1.example.org/"),
        ("lab1.example.org/../", "is no place of a notebook server", "/user/ada/"),
        ("{user}.example.org/", "is no place of a notebook server", "lab1.example.org/"),
        ("lab1.example.org:8443/", "'lab1.example.org:8443' has a port", "did you mean lab1.example.org/?"),
        ("*.example.org/", "'*.example.org' is not a name", "a wildcard"),
        ("*/", "'*' is not a name", "a wildcard"),
    ],
)
def test_where_nothing_can_be(text, problem, hint):
    with pytest.raises(AddressError) as caught:
        parse_place(text)

    assert problem in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["/", "/ipython/", "/a/b/"])
def test_the_gateways_own_base_url(text):
    assert text == parse_base_url(text)


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("", "'' is not a base URL", "did you mean /?"),
        ("ipython", "'ipython' is not a base URL", "did you mean /ipython/?"),
        ("/ipython", "'/ipython' is not a base URL", "did you mean /ipython/?"),
        ("https://gw.example.org/ipython/", "is not a base URL", "write a plain path between slashes"),
        ("/_nbgate/", "is where nbgate's own pages are", "choose another one"),
        ("/{user}/", "'/{user}/' is not a base URL", "the first label of a host alone"),
    ],
)
def test_a_mistyped_base_url_is_refused_with_what_to_write(text, problem, hint):
    with pytest.raises(AddressError) as caught:
        parse_base_url(text)

    assert problem in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["", "/", "/user/a%40b/"])
def test_what_a_server_was_told(text):
    assert text == parse_told_base(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [("ada", "did you mean /ada/?"), ("/ada", "did you mean /ada/?"), ("/a b/", "c.ServerApp.base_url")],
)
def test_what_no_server_was_told(text, hint):
    with pytest.raises(AddressError, match="is not a base URL") as caught:
        parse_told_base(text)

    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), (HEX, HEX), (HEX.upper(), HEX), (":".join(HEX[i : i + 2] for i in range(0, 64, 2)).upper(), HEX)],
)
def test_a_pin_in_the_spellings_of_openssl_and_browsers(text, expected):
    assert expected == parse_pin(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("AB:CD", "a pin has 64 hex digits, and this has 4 characters"),
        (HEX + "0", "a pin has 64 hex digits, and this has 65 characters"),
        (f"sha256 Fingerprint={HEX}", "a pin has 64 hex digits, and this has 83 characters"),
        ("g" * 64, "a pin has hex digits alone"),
        ("٣" * 64, "a pin has hex digits alone"),
    ],
)
def test_what_is_no_pin(text, problem):
    with pytest.raises(AddressError) as caught:
        parse_pin(text)

    assert problem == str(caught.value)
    assert "-fingerprint -sha256" in caught.value.hint


@pytest.mark.parametrize("text", ["", "api/status", "voila/static/", "x"])
def test_a_health_path(text):
    assert text == parse_health(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("/api/status", "did you mean api/status?"),
        ("api/../x", "for example api/status"),
        ("//evil.example/", "did you mean evil.example?"),
        ("http://evil.example/", "for example api/status"),
        ("api/status?token=x", "for example api/status"),
        ("/", "for example api/status"),
        ("x\r\nHost: y", "for example api/status"),
    ],
)
def test_a_health_path_that_leads_elsewhere_is_refused(text, hint):
    with pytest.raises(AddressError, match="is not a path below the server's base URL") as caught:
        parse_health(text)

    assert hint == caught.value.hint


@pytest.mark.parametrize(
    ("text", "host", "prefix", "upstream", "base_url"),
    [
        ("localhost:8888", "", "", HERE, ""),
        ("http://localhost:8888/a=b/", "", "", HERE, "/a=b/"),
        ("localhost:8888/a=b/", "", "", HERE, "/a=b/"),
        ("unix:/run/a/=b", "", "", Upstream(path="/run/a/=b"), ""),
        ("/lab1/=localhost:8888", "", "/lab1/", HERE, ""),
        ("/=localhost:8888/x/", "", "/", HERE, "/x/"),
        ("/lab1/ = localhost:8888", "", "/lab1/", HERE, ""),
        ("/lab1/=http://localhost:8888/a=b/", "", "/lab1/", HERE, "/a=b/"),
        ("/lab1/=unix:/run/a=b", "", "/lab1/", Upstream(path="/run/a=b"), ""),
        ("Lab1.example.org/=localhost:8888", "lab1.example.org", "/", HERE, ""),
        ("[::1]/=localhost:8888", "[::1]", "/", HERE, ""),
        ("{user}.a.org/=unix:/run/{user}.sock", "{user}.a.org", "/", Upstream(path="/run/{user}.sock"), ""),
    ],
)
def test_an_item_is_an_address_with_or_without_a_place(text, host, prefix, upstream, base_url):
    assert RouteSpec(upstream=upstream, host=host, prefix=prefix, base_url=base_url) == parse_item(text)


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("lab1=localhost:8888", "'lab1' does not say where", "did you mean /lab1/?"),
        ("/lab1=localhost:8888", "'/lab1' does not say where", "did you mean /lab1/?"),
        ("=localhost:8888", "'=localhost:8888' does not say where", "for example /lab1/"),
        ("a.example:8443/=localhost:8888", "'a.example:8443' has a port", "did you mean a.example/?"),
        ("/lab1/=", "an upstream needs a port", "did you mean localhost:8888?"),
        ("/lab1/=8888", "an upstream needs a host and a port", "did you mean localhost:8888?"),
    ],
)
def test_a_mistyped_item_is_refused_with_what_to_write(text, problem, hint):
    with pytest.raises(AddressError) as caught:
        parse_item(text)

    assert problem in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(("texts", "expected"), [([], []), (["auto"], []), (["/a/=a.org:1", "b:2"], ["/a/", ""])])
def test_items_name_servers_wherever_they_are(texts, expected):
    assert expected == [spec.at for spec in parse_items(texts)]


@pytest.mark.parametrize("texts", [["auto", "localhost:8888"], ["auto", "auto"]])
def test_auto_stands_alone(texts):
    with pytest.raises(AddressError, match="auto finds the running servers: it stands alone") as caught:
        parse_items(texts)

    assert "name all upstreams, or none" == caught.value.hint


def test_a_route_says_all_there_is_to_say_of_a_server():
    options = RouteOptions(
        at="lab1.example.org/x/",
        upstream="https://gpu.example.org:8888/",
        base_url="/told/",
        token_file="/t",
        password_file="/p",
        pin=HEX,
        allow=("Ada", "bob", "ada"),
        allow_open=True,
        disabled_rules=("a",),
        health="api",
    )

    assert RouteSpec(
        upstream=Upstream(port=8888, name="gpu.example.org", tls=UpstreamTls(server_name="gpu.example.org")),
        host="lab1.example.org",
        prefix="/x/",
        base_url="/told/",
        resolve="gpu.example.org",
        token_file="/t",
        password_file="/p",
        allowed=("ada", "bob"),
        allow_open=True,
        disabled_rules=("a",),
        health="api",
    ) == spec_of(options)


def test_a_base_url_may_stand_in_the_address():
    assert "/x/" == spec_of(RouteOptions(at="/lab1/", upstream="localhost:8888/x/")).base_url
    assert "/" == spec_of(RouteOptions(at="/lab1/", upstream="localhost:8888", base_url="/")).base_url


def test_files_of_the_whole_are_for_items_alone_and_those_of_a_route_for_itself():
    config = Config(
        upstream=("/a/=https://localhost:1", "/b/=localhost:2"),
        upstream_ca_file="/ca",
        upstream_token_file="/token",
        upstream_password_file="/password",
        route=(
            RouteOptions(at="/c/", upstream="https://localhost:3", ca_file="/other", token_file="/own"),
            RouteOptions(at="/d/", upstream="https://localhost:4", pin=HEX),
            RouteOptions(at="/e/", upstream="localhost:5"),
        ),
    )
    specs = specs_of(config, lambda option, file: f"{option} {file}".strip())

    assert ["/a/", "/b/", "/c/", "/d/", "/e/"] == [spec.at for spec in specs]
    assert ["/token", "/token", "/own", "", ""] == [spec.token_file for spec in specs]
    assert ["/password", "/password", "", "", ""] == [spec.password_file for spec in specs]
    assert [False, False, True, True, True] == [spec.in_table for spec in specs]
    assert [
        UpstreamTls(server_name="localhost", ca="upstream_ca_file /ca"),
        None,
        UpstreamTls(server_name="localhost", ca="route[0].ca_file /other"),
        UpstreamTls(server_name="localhost", ca="route[1].ca_file", pin=HEX),
        None,
    ] == [spec.upstream.tls for spec in specs]
    assert {"", None} == {spec.upstream.tls and spec.upstream.tls.ca for spec in specs_of(config)}
