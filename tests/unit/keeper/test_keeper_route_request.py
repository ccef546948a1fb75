"""What people send who want a route, and what they are told when it is none."""

import pytest
import trustme

from nbgate.config.schema import Config
from nbgate.errors import InputRefused
from nbgate.keeper.route_request import RouteRequest, parse_place, parse_request
from nbgate.model.route import Upstream, UpstreamTls
from nbgate.model.route_spec import RouteSpec

LAB = {"at": "/lab1/", "upstream": "localhost:8889"}
HTTPS = {"at": "/lab1/", "upstream": "https://localhost:8889/x/"}
EACH = {"at": "{user}.example.org/", "upstream": "unix:/run/{user}/lab.sock"}
PIN = "0123456789abcdef" * 4
LOCAL = Config()
REMOTE = Config(allow_remote_upstream=True)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def refused(value, config=LOCAL):
    with pytest.raises(InputRefused) as caught:
        parse_request(value, config)
    return caught.value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (LAB, RouteSpec(upstream=Upstream(host="127.0.0.1", port=8889), prefix="/lab1/")),
        (
            {
                **LAB,
                "base_url": "/ipython/",
                "token": "t0ken",
                "allow": ["Ada", "bob", "ada"],
                "allow_open": True,
                "health": "api/status",
                "disabled_rules": [],
            },
            RouteSpec(
                upstream=Upstream(host="127.0.0.1", port=8889),
                prefix="/lab1/",
                base_url="/ipython/",
                token="t0ken",
                allowed=("ada", "bob"),
                allow_open=True,
                health="api/status",
            ),
        ),
        (
            {**HTTPS, "pin": ":".join([PIN[:32], PIN[32:]]).upper()},
            RouteSpec(
                upstream=Upstream(host="127.0.0.1", port=8889, tls=UpstreamTls(server_name="localhost", pin=PIN)),
                prefix="/lab1/",
                base_url="/x/",
            ),
        ),
        (EACH, RouteSpec(upstream=Upstream(path="/run/{user}/lab.sock"), host="{user}.example.org", prefix="/")),
    ],
)
def test_what_is_sent_is_what_is_wanted(value, expected):
    assert expected == parse_request(value, Config())


def test_of_an_authority_only_the_certificates_are_taken(authority):
    text = authority.private_key_pem.bytes().decode() + authority.cert_pem.bytes().decode()
    tls = parse_request({**HTTPS, "ca": text}, Config()).upstream.tls
    assert UpstreamTls(server_name="localhost", ca=authority.cert_pem.bytes().decode()) == tls


def test_another_machine_is_reached_where_the_configuration_says_so():
    value = {"at": "/lab1/", "upstream": "lab.internal:8889"}
    assert "lab.internal" == parse_request(value, REMOTE).resolve
    assert "is not known to be this machine" in refused(value).public


@pytest.mark.parametrize(
    ("value", "public", "hint"),
    [
        ({}, "the route lacks 'at'", 'for example {"at": '),
        ({"at": "/lab1/", "upstream": ""}, "the route lacks 'upstream'", 'for example {"at": '),
        ({**LAB, "upstraem": "x"}, "a route has nothing called 'upstraem'", "did you mean upstream?"),
        ({**LAB, "token_file": "/etc/shadow"}, "a route has nothing called 'token_file'", "did you mean token?"),
        ({**LAB, "": "x"}, "a route has nothing called ''", "there are at, upstream, base_url, "),
        (
            {**LAB, "at": 1},
            "a value of the route is of another type: Expected `str`, got `int` - at `$.at`",
            "allow and",
        ),
        ({**LAB, "allow": "ada"}, "a value of the route is of another type: ", "allow and disabled_rules are lists"),
        ({**LAB, "allow": [1]}, "a value of the route is of another type: ", "allow and disabled_rules are lists"),
        ({**LAB, "allow_open": "yes"}, "a value of the route is of another type: ", "allow and disabled_rules are"),
        ({**LAB, "at": "lab1"}, "'lab1' does not say where", "did you mean /lab1/?"),
        ({**LAB, "at": "/_nbgate/"}, "/_nbgate/ is where nbgate's own pages are", "choose another"),
        ({**LAB, "upstream": "localhost"}, "an upstream needs a port", "did you mean localhost:8888?"),
        ({**LAB, "upstream": "file:///etc/passwd"}, "an upstream cannot be reached by 'file'", "write host:port"),
        ({**LAB, "upstream": "http://ada:secret@localhost:8889/"}, "an upstream is an address alone", "write http://"),
        ({**LAB, "base_url": "x"}, "'x' is not a base URL", "did you mean /x/?"),
        ({**HTTPS, "base_url": "/y/", "pin": PIN}, "base_url: the address in upstream says /x/", "say it once"),
        ({**LAB, "health": "../api"}, "'../api' is not a path below", "for example"),
        ({**LAB, "allow": ["a b"]}, "'a b' is no user name", "use 1 to 64"),
        ({**LAB, "allow": [""]}, "nobody may use /lab1/", "name who may"),
        ({**LAB, "allow": ["ada"] * 257}, "a route has a list of at most 256 users", "without a list"),
        ({**LAB, "disabled_rules": ["nothing"]}, "disabled_rules: there is no rule 'nothing'", "there are"),
        ({**LAB, "token": "a\r\nb"}, "this is no token of a notebook server", "on one line"),
        ({**LAB, "token": "x" * 513}, "this is no token of a notebook server", "on one line"),
        ({**LAB, "pin": PIN}, "pin: the server is not reached by https", "write https://"),
        ({**LAB, "ca": "x"}, "ca: the server is not reached by https", "write https://"),
        ({**HTTPS, "pin": "12"}, "a pin has 64 hex digits", "openssl"),
        (HTTPS, "upstream: nobody vouches", "name its authority with ca, or its certificate with pin"),
        ({**HTTPS, "ca": "x", "pin": PIN}, "pin: it has an authority already", "name ca or pin"),
        ({**HTTPS, "ca": "é"}, "ca holds no certificate", "-----BEGIN"),
        ({**EACH, "allow": ["ada"]}, "allow: {user} says who may use it", "take it away"),
        ({**EACH, "at": "/lab/"}, "upstream: {user} in a path needs {user}", "for example"),
        ({**EACH, "upstream": "unix:/run/{name}/x"}, "this is no path of a socket", "at most 107 bytes"),
        ({**EACH, "upstream": "unix:/run/a\nb"}, "this is no path of a socket", "at most 107 bytes"),
        ({**EACH, "upstream": "unix:/" + "x" * 107}, "this is no path of a socket", "at most 107 bytes"),
        ({**EACH, "upstream": "https://localhost:1", "ca": "x"}, "a route for each user has no authority", "pin"),
    ],
)
def test_each_mistake_is_told_in_a_line_with_what_to_do(value, public, hint):
    error = refused(value)
    assert (True, True) == (error.public.startswith(public), hint in error.hint), (error.public, error.hint)
    assert (400, [], []) == (error.status, error.public.splitlines()[1:], error.hint.splitlines()[1:])


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "224.0.0.1"])
def test_where_clouds_keep_their_secrets_is_no_notebook_server(host):
    assert "is no address of a notebook server" in refused({"at": "/x/", "upstream": f"{host}:80"}, REMOTE).public


def test_a_place_is_named_by_itself():
    assert ("lab1.example.org", "/x/") == parse_place("lab1.example.org/x/")
    with pytest.raises(InputRefused, match="'x' does not say where") as caught:
        parse_place("x")
    assert "did you mean /x/?" == caught.value.hint


def test_a_request_shows_no_token():
    assert "5ecre7" not in repr(RouteRequest(at="/", upstream="x", token="5ecre7"))
