"""Routes that are added: durable and on record before anybody hears of them, kept, and judged anew with each change."""

import asyncio
import math
import os

import msgspec
import pytest

from nbgate.config.schema import Config
from nbgate.errors import AuditError
from nbgate.keeper import routes as module
from nbgate.keeper.guarded import Upstreams, route_name
from nbgate.keeper.hints import BY_REQUEST
from nbgate.keeper.places import Source
from nbgate.keeper.probe import Finding, Guard
from nbgate.keeper.route_list import HINT_WHEN_UNREADABLE
from nbgate.keeper.route_rules import RouteError
from nbgate.keeper.upstreams import HINT_WHEN_STRANGE
from nbgate.link.messages import RoutesChanged, Snapshot
from nbgate.model.route import Condition, Upstream
from nbgate.model.route_spec import RouteSpec
from nbgate.testing.keeper_parts import TOKEN, Rig

ROOT = "uid:0 root"
NAME = route_name("/lab1/")


def spec(prefix="/lab1/", host="", port=9999, **changes):
    return RouteSpec(upstream=Upstream(host="127.0.0.1", port=port), host=host, prefix=prefix, **changes)


@pytest.fixture
async def book(rig):
    await rig.keeper.start()
    return rig.keeper.route_book


def stored(rig):
    return [at for at, _ in rig.state.routes.all()]


def listed(book, at):
    (found,) = [each for each in book.all() if each.at == at]
    return found


def added(book):
    return [each.at for each in book.all() if each.source is Source.RUNTIME]


def told(rig):
    names = ("message", "nbgate.route.at", "nbgate.route.name", "nbgate.upstream", "nbgate.actor")
    return [tuple(record.get(name) for name in names) for record in rig.sink.records("route.change")]


def apply(rig, config):
    rig.keeper.apply(config, rig.keeper.material, rig.values["tables"], rig.values["rules"])


async def test_a_route_that_is_added_reaches_every_worker_and_is_sealed_and_on_record(rig, book):
    links = [rig.attach(0), rig.attach(1)]
    assert not await book.add(spec(token="5ecre7"), ROOT)
    assert [["/lab1/"]] * 2 == [
        [route.prefix for each in link.of(RoutesChanged) for route in each.put] for link in links
    ]
    assert [1, 1] == [len(link.of(Snapshot)) for link in links]
    assert ["/lab1/"] == stored(rig)
    (record,) = rig.sink.records("route.change")
    assert ("added", "/lab1/", NAME, ROOT) == (
        record["message"],
        record["nbgate.route.at"],
        record["nbgate.route.name"],
        record["nbgate.actor"],
    )
    written = rig.sink.lines + b"".join(value for _, value in rig.state.routes.all())
    assert b"5ecre7" not in written
    assert b"9999" not in dict(rig.state.routes.all())["/lab1/"]


async def test_one_that_is_added_again_leads_elsewhere_from_then_on(rig, book):
    await book.add(spec(), ROOT)
    link = rig.attach()
    assert await book.add(spec(port=9998), "ada")
    (changed,) = link.of(RoutesChanged)
    assert ([9998], ()) == ([route.upstream.port for route in changed.put], changed.gone)
    assert [("added", ROOT), ("changed", "ada")] == [(each[0], each[4]) for each in told(rig)]
    assert 1 == len(rig.state.routes.all())


async def test_one_that_is_removed_is_gone_everywhere(rig, book):
    await book.add(spec(), ROOT)
    link = rig.attach()
    await book.remove("", "/lab1/", "ada")
    (changed,) = link.of(RoutesChanged)
    assert ((NAME,), ()) == (changed.gone, changed.put)
    assert ([], []) == (stored(rig), added(book))
    assert ["added", "removed"] == [each[0] for each in told(rig)]
    with pytest.raises(RouteError, match="there is no route at /lab1/"):
        await book.remove("", "/lab1/", "ada")


async def test_routes_outlive_the_keeper_and_are_there_before_anybody_is_let_in(rig, book):
    await book.add(spec(token="5ecre7", allowed=()), ROOT)
    await book.add(spec("/", "lab.example.org", allowed=("ada",)), ROOT)
    again = Rig(state=rig.state, clock=rig.clock)
    await again.keeper.start()
    link = again.attach()
    (snapshot,) = link.sent
    assert {("", "/lab1/", ()), ("lab.example.org", "/", ("ada",)), ("", "/", ()), ("", "/_nbgate/", ())} == {
        (route.host, route.prefix, route.allowed) for route in snapshot.routes
    }
    assert again.keeper.route_book.all() == book.all()
    await again.close()


@pytest.mark.parametrize("change", ["add", "replace", "remove"])
async def test_what_cannot_be_recorded_is_not_done(rig, book, change):
    if change != "add":
        await book.add(spec(port=1), ROOT)
    before = [(at, msgspec.json.encode(each)) for at, each in book._specs.items()], stored(rig)
    link = rig.attach()

    async def fail(event):
        raise AuditError("the disk is full")

    rig.audit.append_durable = fail
    with pytest.raises(AuditError):
        await (book.remove("", "/lab1/", ROOT) if change == "remove" else book.add(spec(), ROOT))
    assert before == ([(at, msgspec.json.encode(each)) for at, each in book._specs.items()], stored(rig))
    assert [] == link.of(RoutesChanged)
    del rig.audit.append_durable
    again = Rig(state=rig.state, clock=rig.clock)
    await again.keeper.start()
    assert added(book) == added(again.keeper.route_book)
    await again.close()


async def test_while_the_audit_fails_nothing_is_begun(rig, book):
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.audit.append_durable(module.RouteChange(**rig.audit.stamp(), **_nothing()))
    with pytest.raises(AuditError, match="the audit cannot be written"):
        await book.add(spec(), ROOT)
    assert [] == stored(rig)


def _nothing():
    return {"route": "x", "message": "added", "at": "/x/", "upstream": "x", "actor": "x"}


async def test_who_goes_away_before_it_is_on_record_leaves_nothing(rig, book):
    reached = asyncio.Event()

    async def hang(event):
        reached.set()
        await asyncio.sleep(math.inf)

    rig.audit.append_durable = hang
    task = asyncio.create_task(book.add(spec(), ROOT))
    await reached.wait()
    assert ["/lab1/"] == stored(rig)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ([], []) == (stored(rig), added(book))


async def test_two_who_change_the_same_route_at_once_wait_for_each_other(rig, book):
    outcomes = await asyncio.gather(*(book.add(spec(port=port), f"admin{port}") for port in (1, 2, 3)))
    assert [False, True, True] == outcomes
    assert ["admin1", "admin2", "admin3"] == [each[4] for each in told(rig)]
    assert "127.0.0.1:3" == listed(book, "/lab1/").upstream
    ended = await asyncio.gather(book.remove("", "/lab1/", "a"), book.remove("", "/lab1/", "b"), return_exceptions=True)
    assert [None, RouteError] == [ended[0], type(ended[1])]


async def test_two_who_add_for_different_people_at_once_do_not_both_succeed(rig, book):
    added_ = await asyncio.gather(
        book.add(spec("/a/", "lab.example", allowed=("ada",)), "a"),
        book.add(spec("/b/", "lab.example", allowed=("bob",)), "b"),
        return_exceptions=True,
    )
    assert [False, RouteError] == [added_[0], type(added_[1])]
    assert (409, ["lab.example/a/"]) == (added_[1].status, stored(rig))


# what may be


async def test_a_route_that_may_not_be_changes_nothing(rig, book):
    with pytest.raises(RouteError, match="/lab1/ is for some people; the servers that are found are for all"):
        await book.add(spec(allowed=("ada",)), ROOT)
    assert ([], []) == (stored(rig), rig.sink.records("route.change"))


async def test_no_route_leads_to_where_nbgate_listens(rig, book):
    book.listens(["https://127.0.0.1:8443/", "https://gate.example/"])
    for port in (8443, 443):
        with pytest.raises(RouteError, match="is nbgate itself"):
            await book.add(spec(port=port), ROOT)
    await book.add(spec(port=8444), ROOT)
    apply(rig, Config(upstream=("localhost:8888",), http_port=8444))
    assert "not mounted: at 127.0.0.1:8444 is nbgate itself; name the" in listed(book, "/lab1/").hint


async def test_no_link_to_a_socket_of_ours_leads_there(tmp_path):
    own, link, other = tmp_path / "pages.sock", tmp_path / "lab.sock", tmp_path / "other.sock"
    own.touch()
    other.touch()
    link.symlink_to(own)
    os.link(own, tmp_path / "hard.sock")
    rig = Rig(own_socket=str(own), sockets=frozenset({str(tmp_path / "missing.sock")}))
    for path in (own, link, tmp_path / "hard.sock"):
        with pytest.raises(RouteError, match="is nbgate itself"):
            await rig.keeper.route_book.add(RouteSpec(upstream=Upstream(path=str(path)), prefix="/x/"), ROOT)
    await rig.keeper.route_book.add(RouteSpec(upstream=Upstream(path=str(other)), prefix="/x/"), ROOT)
    await rig.close()


async def test_there_is_a_bound(rig, book, monkeypatch):
    monkeypatch.setattr(module, "MAX_ROUTES", 2)
    monkeypatch.setattr(module, "MAX_FOR_EACH", 1)
    await book.add(spec("/", "{user}.example.org"), ROOT)
    with pytest.raises(RouteError, match="there are 1 routes for each user already"):
        await book.add(spec("/", "{user}.example.com"), ROOT)
    await book.add(spec("/x/", "{user}.example.org".replace("{user}", "lab.lab")), ROOT)
    with pytest.raises(RouteError, match="there are 2 routes already, and that is too many"):
        await book.add(spec(), ROOT)
    assert await book.add(spec("/", "{user}.example.org", port=1), ROOT)
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 100)
    with pytest.raises(RouteError, match="too many"):
        await book.add(spec("/", "{user}.example.org", port=1), ROOT)


async def test_what_was_not_added_cannot_be_removed(rig, book):
    with pytest.raises(RouteError, match="the configuration mounts a server at /") as caught:
        await book.remove("", "/", ROOT)
    assert (409, "take it out there") == (caught.value.status, caught.value.hint)


async def test_a_server_that_was_found_goes_with_the_server():
    rig = Rig(upstreams=Upstreams())
    await rig.keeper.start()
    await rig.keeper.mounts.scan_once()
    with pytest.raises(RouteError, match="the server at / was found by itself"):
        await rig.keeper.route_book.remove("", "/", ROOT)
    await rig.close()


async def test_a_strangers_service_without_a_credential_is_passed_on_only_if_it_is_a_notebook_server(rig, book):
    names = iter(["a notebook server", "a notebook server", "JupyterLab"])

    async def product(upstream, base_url):
        return next(names)

    rig.upstream.servers = ()
    rig.upstream.guard = Finding(Guard.OPEN, 200)
    eyes = msgspec.structs.replace(rig.upstream.eyes(), product=product)
    other = Rig(state=rig.state, eyes=eyes, upstreams=Upstreams())
    await other.keeper.start()
    book = other.keeper.route_book
    await book.add(spec(allow_open=True), ROOT)
    for expected in (Condition.OPEN, Condition.OPEN, Condition.OPEN_ALLOWED):
        await other.keeper.mounts._watches.look_once()
        assert expected is listed(book, "/lab1/").condition
        assert (HINT_WHEN_STRANGE if expected is Condition.OPEN else "") == listed(book, "/lab1/").hint
    await other.close()


@pytest.mark.parametrize(("guard", "hint"), [(Guard.OPEN, BY_REQUEST.open), (Guard.GUARDED, BY_REQUEST.unknown)])
async def test_what_helps_is_told_in_the_words_of_routes_that_are_added(rig, book, guard, hint):
    rig.upstream.servers = ()
    rig.upstream.guard = Finding(guard, 200)
    await book.add(spec(), ROOT)
    await rig.keeper.mounts.look_once()
    assert hint == listed(book, "/lab1/").hint


async def test_a_token_that_was_named_for_all_servers_is_shown_to_none_that_was_added():
    rig = Rig(named_token=TOKEN)
    rig.upstream.servers = ()
    await rig.keeper.start()
    await rig.keeper.route_book.add(spec(), ROOT)
    await rig.keeper.mounts.look_once()
    assert Condition.TOKEN_UNKNOWN is listed(rig.keeper.route_book, "/lab1/").condition
    await rig.close()


# another configuration


async def test_what_does_not_go_with_the_configuration_leads_nowhere_until_it_does(rig, book):
    usual = Config(upstream=("localhost:8888",))
    await book.add(spec(), ROOT)
    await book.add(spec("/lab2/"), ROOT)
    link = rig.attach()
    apply(rig, Config(upstream=("/lab1/=localhost:8888",)))
    assert (
        "not mounted: the configuration mounts 127.0.0.1:8888 at /lab1/; change it there, or choose another place"
    ) == (listed(book, "/lab1/").hint)
    assert {"main", route_name("/lab2/"), "own"} == {route.name for route in link.of(Snapshot)[-1].routes}
    assert ["/lab1/", "/lab2/"] == stored(rig)
    apply(rig, usual)
    assert NAME in {route.name for route in link.of(Snapshot)[-1].routes}
    assert "" == listed(book, "/lab1/").hint


async def test_a_configuration_that_comes_in_between_has_the_last_word(rig, book):
    real = rig.audit.append_durable

    async def append_durable(event):
        apply(rig, Config(upstream=("/lab1/=localhost:8888",)))
        await real(event)

    rig.audit.append_durable = append_durable
    await book.add(spec(), ROOT)
    assert "not mounted: the configuration mounts" in listed(book, "/lab1/").hint
    assert {"main", "own"} == {route.name for route in rig.keeper.routes()}


async def test_what_leads_nowhere_can_be_changed_and_removed(rig, book):
    await book.add(spec(), ROOT)
    await book.add(spec("/lab2/"), ROOT)
    apply(rig, Config(upstream=("/lab1/=localhost:8888", "/lab2/=localhost:8889")))
    with pytest.raises(RouteError, match="the configuration mounts"):
        await book.add(spec(port=1), ROOT)
    await book.remove("", "/lab1/", ROOT)
    assert ["/lab2/"] == stored(rig)
    assert [] == [each for each in book.all() if each.at == "/lab1/"]


async def test_who_may_use_what_is_judged_anew(rig, book):
    apply(rig, Config(upstream=("/main/=localhost:8888",), shared_origin=True))
    await book.add(spec(allowed=("ada",)), ROOT)
    assert "" == listed(book, "/lab1/").hint
    apply(rig, Config(upstream=("/main/=localhost:8888",)))
    assert "not mounted: different people may use /lab1/ and /main/;" in listed(book, "/lab1/").hint


async def test_a_server_that_took_the_place_is_told(rig, book):
    """The configuration names no place for it: where it is mounted, the server itself says."""
    await book.add(spec("/"), ROOT)
    await rig.keeper.mounts.look_once()
    (other,) = [each for each in book.all() if each.source is Source.RUNTIME]
    assert ("/", module.HINT_WHEN_TAKEN) == (other.at, other.hint)


# for each user


async def test_each_user_who_may_log_in_has_a_route_and_nobody_else(rig, book):
    await book.add(spec("/", "{user}.example.org"), ROOT)
    link = rig.attach()
    await rig.keeper.accounts.add("bob", "a parrot on the third shelf", ROOT)
    (changed,) = link.of(RoutesChanged)
    assert [("bob.example.org", ("bob",))] == [(route.host, route.allowed) for route in changed.put]
    await rig.keeper.accounts.disable("bob", ROOT)
    assert [(), (route_name("/", "bob.example.org"),)] == [each.gone for each in link.of(RoutesChanged)]
    assert {"ada.example.org/", "{user}.example.org/"} <= set(added(book))
    assert "" == listed(book, "{user}.example.org/").hint


async def test_workers_learn_new_names_where_they_must_know_them(rig, book):
    apply(rig, Config(upstream=("localhost:8888",), hosts=("gate.example",)))
    link = rig.attach()
    await book.add(spec("/", "lab.example"), ROOT)
    assert 2 == len(link.of(Snapshot))
    await book.add(spec(), ROOT)
    await book.add(spec("/x/", "lab.example"), ROOT)
    await book.remove("lab.example", "/x/", ROOT)
    assert (2, 3) == (len(link.of(Snapshot)), len(link.of(RoutesChanged)))
    await book.remove("lab.example", "/", ROOT)
    assert 3 == len(link.of(Snapshot))


# damage


async def test_what_cannot_be_read_is_listed_and_can_be_removed_or_added_again(rig, book):
    for at in ("/a/", "/b/", "/c/"):
        await book.add(spec(at), ROOT)
    values = dict(rig.state.routes.all())
    rig.state.routes.put("/b/", values["/a/"])  # of another place: it is not taken for this one
    rig.state.routes.put("/c/", b"\xff")
    again = Rig(state=rig.state, clock=rig.clock)
    await again.keeper.start()
    book = again.keeper.route_book
    assert ["/a/", "/b/", "/c/"] == sorted(added(book))
    assert ["", HINT_WHEN_UNREADABLE, HINT_WHEN_UNREADABLE] == [listed(book, at).hint for at in ("/a/", "/b/", "/c/")]
    assert await book.add(spec("/b/"), ROOT)
    await book.remove("", "/c/", ROOT)
    assert ["/a/", "/b/"] == stored(again)
    assert "" == listed(book, "/b/").hint
    await again.close()


async def test_no_token_is_shown(rig, book):
    await book.add(spec(token="5ecre7"), ROOT)
    assert "5ecre7" not in repr(book.all())
    assert TOKEN not in repr(book.all())
