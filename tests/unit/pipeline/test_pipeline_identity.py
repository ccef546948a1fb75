"""Who asks, and under which of our names: for each connection a sequence of Hosts, and what each request gets."""

import pytest

from nbgate.config.schema import Limits
from nbgate.errors import ProtocolError
from nbgate.http.head import HeadParser
from nbgate.model.client import make_client
from nbgate.model.exposure import Exposure
from nbgate.model.keys import SealingKey
from nbgate.model.route import Route, RouteKind, Upstream
from nbgate.pipeline.identity import Identity
from nbgate.policy import STRICT_TRANSPORT, compile_policy
from nbgate.reasons import Reason
from nbgate.rules.tables import shipped_tables

OWN = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path="/run/pages.sock"), kind=RouteKind.OWN)
STRANGER, PROXY = "203.0.113.9", "10.0.0.1"
ANY = Exposure()
NAMED = Exposure(hosts=("gw.test", "lab.test:8443"), trusted_hops=("10.0.0.0/8",))
LOCAL_HOP = Exposure(hosts=("gw.test",), trusted_hops=("127.0.0.1",))
REFUSED = (Reason.WRONG_HOST, 421)


LAB = Route(name="lab", prefix="/", host="lab1.example.org", upstream=Upstream(host="127.0.0.1", port=8888))


def policy_of(exposure, *routes):
    return compile_policy(
        version=1,
        limits=Limits(),
        tables=shipped_tables(),
        routes=(OWN, *routes),
        upstreams=(),
        sealing_keys=(SealingKey(id=0, secret=bytes(32)),),
        audit_failing_since_unix=0.0,
        exposure=exposure,
    )


def fields(policy, host, forwarded=""):
    line = f"X-Forwarded-For: {forwarded}\r\n" if forwarded else ""
    raw = f"GET / HTTP/1.1\r\nHost: {host}\r\n{line}\r\n".encode()
    return HeadParser(policy.head_limits, policy.tables).parse(raw).fields


def told(identity, policy, host, forwarded=""):
    try:
        return identity.identify(fields(policy, host, forwarded), policy).address
    except ProtocolError as error:
        return (error.reason, error.status)


@pytest.mark.parametrize(
    ("exposure", "peer", "server_name", "hosts", "answers"),
    [
        # without names every well-formed Host is taken, and kept to (D28)
        (ANY, STRANGER, None, ["anything"], [STRANGER]),
        (ANY, STRANGER, None, ["a.test", "a.test", "b.test", "a.test"], [STRANGER, STRANGER, REFUSED, STRANGER]),
        (ANY, STRANGER, None, ["a.test", "a.test:8443"], [STRANGER, REFUSED]),
        # the name of the handshake is the name of Host (T20)
        (ANY, STRANGER, "a.test", ["a.test:8443"], [STRANGER]),
        (ANY, STRANGER, "a.test", ["A.test."], [STRANGER]),
        (ANY, STRANGER, "a.test", ["b.test", "a.test"], [REFUSED, STRANGER]),
        (ANY, STRANGER, "::1", ["[::1]:8443"], [STRANGER]),
        (ANY, STRANGER, "test", ["a.test"], [REFUSED]),
        # with names nothing else is taken
        (NAMED, STRANGER, None, ["gw.test"], [STRANGER]),
        (NAMED, STRANGER, None, ["GW.test:9000"], [STRANGER]),
        (NAMED, STRANGER, None, ["lab.test:8443"], [STRANGER]),
        (NAMED, STRANGER, None, ["lab.test"], [REFUSED]),
        (NAMED, STRANGER, None, ["evil.example", "gw.test"], [REFUSED, STRANGER]),
        (NAMED, STRANGER, "lab.test", ["gw.test"], [REFUSED]),
        # who sits at this machine may call it localhost; a hop that does speaks for others
        (NAMED, "127.0.0.1", "localhost", ["localhost:8443"], ["127.0.0.1"]),
        (NAMED, "127.0.0.9", None, ["127.0.0.1:8443"], ["127.0.0.9"]),
        (NAMED, "::1", "::1", ["[::1]:8443"], ["::1"]),
        (
            NAMED,
            "127.0.0.1",
            None,
            ["evil.example", "localhost.evil.example", "gw.test"],
            [REFUSED, REFUSED, "127.0.0.1"],
        ),
        (NAMED, STRANGER, None, ["localhost", "127.0.0.1", "[::1]"], [REFUSED, REFUSED, REFUSED]),
        (LOCAL_HOP, "127.0.0.1", None, ["localhost", "gw.test"], [REFUSED, "127.0.0.1"]),
        # a trusted hop speaks for many, but not for other names
        (NAMED, PROXY, None, ["gw.test", "lab.test:8443", "gw.test"], [PROXY, PROXY, PROXY]),
        (NAMED, PROXY, "backend", ["gw.test"], [PROXY]),
        (NAMED, PROXY, None, ["evil.example"], [REFUSED]),
    ],
)
def test_a_connection_is_for_one_of_our_names(exposure, peer, server_name, hosts, answers):
    policy = policy_of(exposure)
    identity = Identity(make_client(peer, 4711), server_name)
    assert answers == [told(identity, policy, host) for host in hosts]


@pytest.mark.parametrize(
    ("exposure", "host", "answer"),
    [
        (NAMED, "lab1.example.org", STRANGER),
        (NAMED, "LAB1.example.org:8443", STRANGER),
        (NAMED, "gw.test", STRANGER),
        (NAMED, "lab2.example.org", REFUSED),
        (NAMED, "x.lab1.example.org", REFUSED),
        (NAMED, "example.org", REFUSED),
        # who names none takes any: a route with a name must not shut out those who come by another one
        (ANY, "lab1.example.org", STRANGER),
        (ANY, "192.0.2.1:8443", STRANGER),
    ],
)
def test_the_name_of_a_route_is_one_of_ours(exposure, host, answer):
    policy = policy_of(exposure, LAB)
    assert answer == told(Identity(make_client(STRANGER, 4711)), policy, host)


def test_the_name_of_a_route_that_is_gone_is_none_of_ours():
    policy = policy_of(NAMED, LAB).with_routes(gone=("lab",))
    assert REFUSED == told(Identity(make_client(STRANGER, 4711)), policy, "lab1.example.org")


def test_the_client_is_found_for_each_header_block():
    policy = policy_of(NAMED)
    identity = Identity(make_client(PROXY, 4711))
    first, second = fields(policy, "gw.test", "6.6.6.6, 192.0.2.1"), fields(policy, "gw.test", "2001:db8::7")
    found = [identity.identify(block, policy) for block in (first, second, first)]
    assert [
        ("192.0.2.1", 0, "192.0.2.1/32"),
        ("2001:db8::7", 0, "2001:db8::/64"),
        ("192.0.2.1", 0, "192.0.2.1/32"),
    ] == [(client.address, client.port, client.netblock) for client in found]


def test_a_client_that_no_hop_names_keeps_its_port():
    policy = policy_of(NAMED)
    for peer in (PROXY, STRANGER):
        assert make_client(peer, 4711) == Identity(make_client(peer, 4711)).identify(fields(policy, "gw.test"), policy)


def test_what_a_stranger_says_of_itself_is_not_believed():
    policy = policy_of(NAMED)
    assert STRANGER == told(Identity(make_client(STRANGER, 4711)), policy, "gw.test", "192.0.2.1")


def test_the_same_block_is_judged_once_and_anew_under_another_policy():
    policy = policy_of(NAMED)
    identity = Identity(make_client(PROXY, 4711))
    block = fields(policy, "gw.test", "192.0.2.1")
    assert identity.identify(block, policy) is identity.identify(block, policy)
    assert PROXY == identity.identify(block, policy_of(Exposure(hosts=("gw.test",)))).address


def test_every_answer_says_https_for_good_only_where_that_is_so():
    assert b"" == policy_of(ANY).always_headers
    assert STRICT_TRANSPORT == policy_of(Exposure(hsts=True)).always_headers
