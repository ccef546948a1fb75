"""The keeper adds up offences, tells every worker, and records each penalty once; then the whole way with a worker."""

import msgspec
import pytest

from nbgate.config.schema import Config
from nbgate.config.schema import Penalties as Options
from nbgate.errors import InputRefused
from nbgate.link.messages import Offences, PenaltiesPut, Snapshot
from nbgate.model.penalty import Offence, Penalty
from nbgate.model.rule import Rules
from nbgate.reasons import Reason
from nbgate.rules.pack import in_force, shipped_pack
from nbgate.testing.keeper_parts import Rig
from nbgate.testing.one_loop import OneLoop
from nbgate.testing.stub_upstream import StubUpstream
from nbgate.testing.wait import wait_until

RULE = "scanner-secrets"  # 10 seconds
RULES = in_force(shipped_pack(), disabled=(), server_proxy_ports=())
BLOCK = "192.0.2.7/32"


@pytest.fixture
async def rig():
    made = Rig()
    yield made
    await made.close()


def offend(rig, *offences, worker=0):
    found = next(known for known in rig.keeper.workers if known.id == worker)
    rig.keeper.take_message(found, Offences(offences=offences))


def told(link):
    return [(penalty.netblock, penalty.until_monotonic) for put in link.of(PenaltiesPut) for penalty in put.penalties]


async def test_offences_of_all_workers_add_up_and_all_are_told(rig):
    links = [rig.attach(0), rig.attach(1)]
    offend(rig, Offence(BLOCK, RULE), worker=0)
    assert [[], []] == [told(link) for link in links]
    offend(rig, Offence(BLOCK, RULE), worker=1)
    now = rig.clock.monotonic()
    assert [[(BLOCK, now + 20.0)]] * 2 == [told(link) for link in links]


async def test_a_penalty_is_recorded_once(rig):
    link = rig.attach()
    offend(rig, Offence(BLOCK, RULE, 2))
    offend(rig, Offence(BLOCK, "scanner-php"))
    (record,) = rig.sink.records("penalty")
    assert (BLOCK, RULE, 20_000_000_000) == (
        record["nbgate.penalty.netblock"],
        record["rule.id"],
        record["event.duration"],
    )
    assert 2 == len(told(link))


async def test_a_count_is_no_way_past_the_longest_penalty(rig):
    link = rig.attach()
    offend(rig, Offence(BLOCK, RULE, 10**9))
    assert [(BLOCK, rig.clock.monotonic() + 600.0)] == told(link)


async def test_a_new_worker_learns_what_is_in_force_and_nothing_else(rig):
    rig.attach(0)
    offend(rig, Offence(BLOCK, RULE, 2), Offence("192.0.2.8/32", RULE))
    until = rig.clock.monotonic() + 20.0
    assert [(Penalty(BLOCK, until),)] == [sent.penalties for sent in rig.attach(1).of(Snapshot)]
    rig.clock.advance(20.0)
    assert [()] == [sent.penalties for sent in rig.attach(2).of(Snapshot)]


@pytest.mark.parametrize("rule", ["server-proxy", "upstream-login", "no-such-rule"])
async def test_only_what_penalises_costs_anything(rig, rule):
    link = rig.attach()
    offend(rig, Offence(BLOCK, rule, 1000))
    assert [] == told(link)


@pytest.mark.parametrize(
    ("netblock", "spared"),
    [("10.1.2.3/32", True), ("10.2.0.1/32", False), ("2001:db8:1::/64", True), ("2001:db8:2::/64", False)],
)
async def test_a_trusted_hop_is_never_penalised(rig, netblock, spared):
    link = rig.attach()
    hops = ("10.1.0.0/16", "2001:db8:1::7/128")
    rig.keeper.apply(Config(trusted_proxies=hops), rig.keeper.material, rig.keeper.snapshot(0).tables, RULES)
    offend(rig, Offence(netblock, RULE, 2))
    assert spared is (told(link) == [])


async def test_a_reload_changes_what_offences_cost(rig):
    link = rig.attach()
    config = Config(penalties=Options(threshold_seconds=5.0, longest_seconds=8.0))
    rig.keeper.apply(config, rig.keeper.material, rig.keeper.snapshot(0).tables, RULES)
    offend(rig, Offence(BLOCK, RULE))
    assert [(BLOCK, rig.clock.monotonic() + 8.0)] == told(link)
    rig.keeper.apply(config, rig.keeper.material, rig.keeper.snapshot(0).tables, Rules())
    offend(rig, Offence("192.0.2.8/32", RULE, 5))
    assert 1 == len(told(link))
    assert (Penalty(BLOCK, rig.clock.monotonic() + 8.0),) == link.of(Snapshot)[-1].penalties  # it stays


@pytest.mark.parametrize("netblock", ["", "x", "192.0.2.7/33", "192.0.2.7/24", "::1%lo/64"])
async def test_a_worker_that_reports_nonsense_is_replaced(rig, netblock):
    rig.attach()
    offend(rig, Offence(netblock, RULE))
    assert [(0, 100, Reason.LINK_OVERFLOW)] == rig.killed
    assert [] == rig.sink.records("penalty")


# logins that must wait, and an operator's word


async def test_a_login_that_is_tried_although_it_must_wait_costs_what_the_option_says(rig):
    link = rig.attach()
    for _ in range(3):
        rig.keeper.penalties.add_login(BLOCK)
    rig.keeper.penalties.add_login("")
    assert [(BLOCK, rig.clock.monotonic() + 15.0)] == told(link)
    (record,) = rig.sink.records("penalty")
    assert ("login", 15_000_000_000) == (record["rule.id"], record["event.duration"])


@pytest.mark.parametrize(
    "config", [Config(penalties=Options(login_seconds=0.0)), Config(trusted_proxies=("192.0.2.0/24",))]
)
async def test_a_login_that_must_wait_costs_nothing_where_the_operator_says_so(rig, config):
    link = rig.attach()
    rig.keeper.apply(config, rig.keeper.material, rig.keeper.snapshot(0).tables, RULES)
    for _ in range(10):
        rig.keeper.penalties.add_login(BLOCK)
    assert [] == told(link)


async def test_penalties_are_shown_the_longest_first(rig):
    rig.attach()
    offend(rig, Offence(BLOCK, RULE, 2), Offence("192.0.2.8/32", RULE, 3), Offence("192.0.2.9/32", RULE))
    shown = rig.keeper.penalties.shown()
    assert ["192.0.2.8/32", BLOCK] == [penalty.netblock for penalty in shown]


@pytest.mark.parametrize("text", ["192.0.2.7", "192.0.2.7/32", "::ffff:192.0.2.7"])
async def test_an_operator_clears_one_and_all_workers_are_told(rig, text):
    links = [rig.attach(0), rig.attach(1)]
    offend(rig, Offence(BLOCK, RULE, 2), Offence("192.0.2.8/32", RULE, 2), Offence("192.0.2.9/32", RULE))
    cleared = []
    rig.keeper.penalties.on_cleared = cleared.append
    assert 1 == await rig.keeper.penalties.clear(text, "uid:0 root")
    assert [(BLOCK, 0.0)] * 2 == [told(link)[-1] for link in links]
    assert ["192.0.2.8/32"] == [penalty.netblock for penalty in rig.keeper.penalties.refused()]
    assert 0 == await rig.keeper.penalties.clear(text, "uid:0 root")
    assert [BLOCK] * 2 == cleared
    record, _ = rig.sink.records("throttle.clear")
    assert (BLOCK, "uid:0 root") == (record["nbgate.penalty.netblock"], record["nbgate.actor"])


async def test_an_operator_clears_all(rig):
    link = rig.attach()
    offend(rig, Offence(BLOCK, RULE, 2), Offence("192.0.2.8/32", RULE, 2), Offence("192.0.2.9/32", RULE))
    assert 2 == await rig.keeper.penalties.clear(None, "uid:0 root")
    assert () == rig.keeper.penalties.refused()
    assert {(BLOCK, 0.0), ("192.0.2.8/32", 0.0)} == set(told(link)[-2:])
    (record,) = rig.sink.records("throttle.clear")
    assert "nbgate.penalty.netblock" not in record
    offend(rig, Offence("192.0.2.9/32", RULE))
    assert () == rig.keeper.penalties.refused()  # what it had below the threshold is forgotten too


@pytest.mark.parametrize("text", ["", "x", "192.0.2.0/24", "192.0.2.7/33", "2001:db8::/56"])
async def test_only_netblocks_can_be_cleared(rig, text):
    with pytest.raises(InputRefused, match="this is no netblock"):
        await rig.keeper.penalties.clear(text, "uid:0 root")
    assert [] == rig.sink.records("throttle.clear")


async def test_the_shipped_rules_are_in_the_snapshot(rig):
    (snapshot,) = rig.attach().of(Snapshot)
    assert RULES == snapshot.rules
    assert snapshot == msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot), type=Snapshot)


# with a worker


def test_a_scanner_is_refused_a_person_is_not_and_time_makes_it_good(tmp_path):
    """From the request on the wire to the record, and back to every answer; the clock is moved by hand."""
    with StubUpstream().in_thread() as stub, OneLoop(tmp_path, stub.port) as gateway:
        gateway.add_user()
        cookie = gateway.login()
        sent_before = len(stub.requests)
        assert [401, 401] == [gateway.request("GET", path)[0] for path in ("/.env", "/.git/HEAD")]
        wait_until(lambda: gateway.request("GET", "/lab")[0] == 429, what="the penalty")
        status, headers = gateway.request("POST", "/_nbgate/api/login", body={"username": "ada", "password": "x"})
        assert (429, "20") == (status, headers["retry-after"])
        assert 200 == gateway.request("GET", "/lab", cookie=cookie)[0]
        gateway.advance(19.0)
        assert 429 == gateway.request("GET", "/.env")[0]
        gateway.advance(1.0)
        assert 401 == gateway.request("GET", "/lab")[0]
        assert gateway.login()
        assert 1 == len(stub.requests) - sent_before
        (record,) = gateway.rig.sink.records("penalty")
        assert "127.0.0.1/32" == record["nbgate.penalty.netblock"]
