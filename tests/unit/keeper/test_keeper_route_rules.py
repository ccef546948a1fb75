"""Which route may be beside which: as a table."""

import pytest

from nbgate.config.schema import Config, RouteOptions
from nbgate.keeper.route_rules import OwnDoors, configured, is_own, judge_route
from nbgate.model.route import Upstream, UpstreamTls
from nbgate.model.route_spec import RouteSpec

NO_DOORS = OwnDoors()
SHARED = "different people may use"


def spec(prefix="/new/", host="", **changes):
    values = {"upstream": Upstream(host="127.0.0.1", port=9999)} | changes
    return RouteSpec(host=host, prefix=prefix, **values)


def added(*specs):
    hosts = {}
    for each in specs:
        hosts.setdefault(each.host, {})[each.prefix] = each
    return hosts


def named(at, allow=()):
    return RouteOptions(at=at, upstream="localhost:8888", allow=allow)


def why(new, config, others=(), own=NO_DOORS):
    refused = judge_route(new, configured(config), added(*others), own)
    return None if refused is None else (refused.status, refused.public)


@pytest.mark.parametrize(
    ("new", "config", "others"),
    [
        (spec(), Config(), ()),
        (spec(), Config(upstream=("localhost:8888",)), ()),
        (spec("/"), Config(upstream=("/main/=localhost:8888",)), ()),
        (spec(), Config(upstream=("/main/=localhost:8888",)), (spec("/other/"), spec(host="a.example"))),
        (spec(), Config(), (spec(allowed=("ada",)),)),  # in the place of that one
        (spec(host="ada.example", allowed=("ada",)), Config(), (spec("/other/"), spec(host="bob.example"))),
        (spec(allowed=("ada", "bob")), Config(route=(named("/x/", ("bob", "ada")),)), ()),
        (spec("/x/"), Config(upstream=("/main/=localhost:8888",), allow=("/main/=ada", "/x/=ada")), ()),
        (spec(allowed=("ada",)), Config(shared_origin=True), (spec("/other/"),)),
        (spec(host="gate.example"), Config(hosts=("gate.example:8443",), route=(named("gate.example/x/"),)), ()),
        (spec("/", "{user}.example.org"), Config(), (spec("/", "gate.org"), spec("/", "a.b.example.org"))),
        (spec("/", "ada.example.org", allowed=("ada",)), Config(), (spec("/x/", "{user}.example.org"),)),
        (spec("/", "{user}.example.org"), Config(), (spec("/x/", "ada.example.org", allowed=("ada",)),)),
        (spec(upstream=Upstream(host="192.0.2.7", port=1)), Config(allow_remote_upstream=True), ()),
    ],
)
def test_what_may_be(new, config, others):
    assert why(new, config, others) is None


@pytest.mark.parametrize(
    ("new", "config", "others", "status", "text"),
    [
        (spec(upstream=Upstream(host="192.0.2.7", port=1)), Config(), (), 400, "192.0.2.7 is not this machine"),
        (spec(upstream=Upstream(name="db", port=1), resolve="db"), Config(), (), 400, "not known to be this machine"),
        (spec("/_nbgate/"), Config(), (), 400, "where nbgate's own pages are"),
        (spec("/_nbgate/x/", "lab.example"), Config(), (), 400, "where nbgate's own pages are"),
        (spec("/x/"), Config(upstream=("/x/=localhost:8888",)), (), 409, "the configuration mounts 127.0.0.1:8888"),
        (spec("/x/"), Config(upstream=("http://localhost:8888/x/",)), (), 409, "the configuration mounts"),
        (spec("/", "a.example"), Config(route=(named("a.example/"),)), (), 409, "the configuration mounts"),
        (spec(host="gate.example"), Config(hosts=("gate.example:8443",)), (), 409, "the servers without a host"),
        (spec("/x/", allowed=("ada",)), Config(allow=("/x/=bob",)), (), 409, "the configuration says who may use /x/"),
        (spec(allowed=("ada",)), Config(), (), 409, "/new/ is for some people; the servers that are found are for all"),
        (spec(allowed=("ada",)), Config(upstream=("/x/=localhost:1",)), (), 409, f"{SHARED} /new/ and /x/;"),
        (spec(), Config(route=(named("/x/", ("ada",)),)), (), 409, SHARED),
        (spec(), Config(upstream=("/x/=localhost:1",), allow=("/x/=ada",)), (), 409, SHARED),
        (spec(host="a.example"), Config(), (spec("/x/", "a.example", allowed=("ada",)),), 409, f"{SHARED} a.example"),
        (
            spec(),
            Config(upstream=("localhost:8888",), allow=("/ada/=ada",)),
            (),
            409,
            "it is not known who may use 127.0.0.1:8888, on the same host",
        ),
        (
            spec("/", "ada.example.org"),
            Config(route=(named("{user}.example.org/"),)),
            (),
            409,
            "what ada alone may use",
        ),
        (spec("/", "bob.example.org"), Config(), (spec("/x/", "{user}.example.org"),), 409, "what bob alone may use"),
        (spec("/", "{user}.example.org"), Config(), (spec("/x/", "ada.example.org"),), 409, "what ada alone may use"),
        (
            spec("/", "{user}.example.org"),
            Config(route=(named("www.example.org/"),)),
            (),
            409,
            "what www alone may use",
        ),
    ],
)
def test_what_may_not_be_and_why(new, config, others, status, text):
    found = why(new, config, others)
    assert (status, True) == (found[0], text in found[1])


def test_every_refusal_says_what_to_do():
    refused = judge_route(spec("/_nbgate/"), configured(Config()), {}, OwnDoors())
    assert (400, 2, "choose another place, for example /lab1/") == (refused.status, refused.exit_code, refused.hint)


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        (Upstream(host="127.0.0.1", port=8443), True),
        (Upstream(host="127.9.9.9", port=8443, tls=UpstreamTls(server_name="x", pin="0" * 64)), True),
        (Upstream(host="::1", port=8443), True),
        (Upstream(host="127.0.0.1", port=8444), False),
        (Upstream(host="192.0.2.7", port=8443), False),
        (Upstream(name="gate.example", port=8443), False),
        (Upstream(path="/data/nbgate/control.sock"), True),
        (Upstream(path="/data/nbgate/other.sock"), False),
        (Upstream(path="/data/{user}/control.sock"), True),
        (Upstream(path="/data/nb{user}/{user}.sock"), True),
        (Upstream(path="/{user}/control.sock"), False),
        (Upstream(path="/data/nbgate/control.soc."), False),
    ],
)
def test_nbgate_forwards_to_itself_at_no_address(upstream, expected):
    own = OwnDoors(sockets=frozenset({"/data/nbgate/control.sock"}), ports=frozenset({8443}))
    assert expected is is_own(upstream, own)
    assert (expected and (400, f"at {upstream} is nbgate itself")) == (
        why(spec(upstream=upstream), Config(allow_remote_upstream=True), own=own) or False
    )
