import asyncio

import pytest

from nbgate.config.schema import Config, Sessions
from nbgate.crypto.devices import verify_device_cookie
from nbgate.errors import CredentialRejected, LockedDown
from nbgate.keeper.guarded import Upstreams, route_name
from nbgate.keeper.login import LoginAttempt
from nbgate.link.messages import (
    Activity,
    AuditState,
    Offences,
    OpenChannels,
    Records,
    RecordsWritten,
    RevokeAck,
    RoutesChanged,
    SessionAnswer,
    SessionAsk,
    SessionPut,
    SessionsRevoked,
    Snapshot,
    UpstreamPut,
    UpstreamSuspect,
    WorkerHello,
    WorkerStatus,
)
from nbgate.model.account import StoredSession
from nbgate.model.keys import TlsMaterial
from nbgate.model.penalty import Offence
from nbgate.model.route import Condition, RouteKind, Upstream
from nbgate.model.route_spec import RouteSpec
from nbgate.model.rule import Rules
from nbgate.model.session import Session
from nbgate.reasons import Reason
from nbgate.sessions.table import FINAL_GENERATION
from nbgate.testing.keeper_parts import PASSWORD, TOKEN, Rig, runtime_file


def attempt(password=PASSWORD, replaces=None):
    return LoginAttempt(username="ada", password=password, client="192.0.2.7", request_id="r1234567", replaces=replaces)


async def log_in(rig, **changes):
    return (await rig.keeper.log_in(attempt(**changes))).session


def stored(account):
    session = Session(id=b"1" * 32, user=account.name, created_unix=1.0, absolute_unix=1e12)
    return StoredSession(session=session, last_seen_unix=1e11, cred_epoch=account.cred_epoch)


async def test_a_linked_worker_gets_all_it_needs_first(rig):
    await rig.keeper.mounts.look_once()
    session = await log_in(rig)
    link = rig.attach(3, pid=77)
    (snapshot,) = link.sent
    assert isinstance(snapshot, Snapshot)
    assert (3, (session,), 1) == (snapshot.worker, snapshot.sessions, snapshot.version)
    assert (Condition.GUARDED, TOKEN) == (snapshot.upstreams[0].condition, snapshot.upstreams[0].token)
    notebook, own = snapshot.routes
    assert ("/", "/", "127.0.0.1:8888") == (notebook.prefix, notebook.base_url, str(notebook.upstream))
    assert ("/_nbgate/", RouteKind.OWN, "/data/pages.sock") == (own.prefix, own.kind, own.upstream.path)


async def test_a_login_reaches_every_worker(rig):
    links = [rig.attach(0), rig.attach(1)]
    session = await log_in(rig)
    assert [[SessionPut(session=session)]] * 2 == [link.of(SessionPut) for link in links]


async def test_a_browser_gets_another_device_cookie_for_the_session_it_has(rig):
    session = await log_in(rig)
    stranger = await log_in(rig)
    await rig.keeper.accounts.set_password("ada", "another horse battery", "ada", keep=session.id)
    user = rig.state.users.get("ada")
    cookie = rig.keeper.new_device_cookie(session)
    assert verify_device_cookie(rig.values["device_key"], "ada", cookie, rig.clock.unix(), user.cred_epoch)
    assert None is rig.keeper.new_device_cookie(stranger)


async def test_a_worker_that_asks_is_answered(rig):
    link = rig.attach()
    session = await log_in(rig)
    link.answer(SessionAsk(id=session.id))
    link.answer(SessionAsk(id=b"?" * 32))
    expected = [SessionAnswer(id=session.id, session=session), SessionAnswer(id=b"?" * 32, session=None)]
    assert expected == link.of(SessionAnswer)


async def test_a_logout_is_stored_told_and_recorded(rig):
    link = rig.attach()
    session = await log_in(rig)
    await rig.keeper.log_out(session)
    assert () == rig.state.sessions.all()
    assert rig.keeper.find_session(session.id) is None
    expected = SessionsRevoked(ack=1, ids=(session.id,), generation=FINAL_GENERATION, reason="logged-out")
    assert [expected] == link.of(SessionsRevoked)
    (record,) = rig.sink.records("session.end")
    told = record["user.name"], record["nbgate.session.id"], record["event.reason"], record["nbgate.actor"]
    assert ("ada", session.label, "logged-out", "ada") == told


async def test_a_session_is_recorded_as_ended_only_after_the_slow_worker_was_given_up(rig):
    link = rig.attach(0, pid=77)
    session = await log_in(rig)
    link.slow = True
    under_way = asyncio.ensure_future(rig.keeper.log_out(session))
    await asyncio.sleep(0)
    assert [] == rig.sink.records("session.end")
    await under_way
    assert [(0, 77, Reason.SLOW_REVOCATION)] == rig.killed
    assert 1 == len(rig.sink.records("session.end"))


async def test_a_login_ends_the_session_it_replaces(rig):
    first = await log_in(rig)
    second = await log_in(rig, replaces=first)
    assert (None, second) == (rig.keeper.find_session(first.id), rig.keeper.find_session(second.id))


async def test_a_changed_account_ends_its_sessions_everywhere(rig):
    link = rig.attach()
    one = await log_in(rig)
    two = await log_in(rig)
    changed = await rig.keeper.accounts.set_password("ada", "another horse battery", "uid:0 root")
    assert 2 == changed.ended_sessions
    (revoked,) = link.of(SessionsRevoked)
    assert ({one.id, two.id}, "password-changed") == (set(revoked.ids), revoked.reason)
    assert ["password-changed"] * 2 == [record["event.reason"] for record in rig.sink.records("session.end")]


async def test_a_login_overtaken_by_a_change_of_its_account_fails(rig):
    append = rig.audit.append_durable

    async def overtaken(event):
        rig.audit.append_durable = append
        await rig.keeper.accounts.disable("ada", "uid:0 root")
        await append(event)

    rig.audit.append_durable = overtaken
    with pytest.raises(CredentialRejected):
        await rig.keeper.log_in(attempt())
    assert () == rig.keeper.live.all()
    assert () == rig.state.sessions.all()


async def test_idle_sessions_end_at_the_sweep_and_active_ones_live_on(rig):
    link = rig.attach()
    idle = await log_in(rig)
    active = await log_in(rig)
    rig.clock.advance(40000)
    link.answer(Activity(ids=(active.id,)))
    rig.clock.advance(3200)
    await rig.keeper.sweep()
    assert (active,) == rig.keeper.live.all()
    (revoked,) = link.of(SessionsRevoked)
    assert ((idle.id,), "session-idle") == (revoked.ids, revoked.reason)


async def test_activity_is_written_down_when_flushed(rig):
    link = rig.attach()
    session = await log_in(rig)
    rig.clock.advance(30)
    link.answer(Activity(ids=(session.id,)))
    before = rig.state.sessions.get(session.id).last_seen_unix
    await rig.keeper.flush_activity()
    await rig.keeper.flush_activity()
    assert 30.0 == rig.state.sessions.get(session.id).last_seen_unix - before


async def test_sessions_survive_the_keeper_and_those_out_of_time_do_not():
    rig = Rig()
    await rig.keeper.accounts.add("ada", PASSWORD, "uid:0 root")
    old = await log_in(rig)
    rig.clock.advance(43100)
    new = await log_in(rig)
    rig.clock.advance(200)
    rig.keeper.live.end((old.id, new.id), 0.0)
    again = Rig(state=rig.state, clock=rig.clock)
    await again.keeper.start()
    assert (new,) == again.keeper.live.all()
    assert [new.id] == [row.session.id for row in rig.state.sessions.all()]
    await rig.close()
    await again.close()


async def test_a_worker_says_how_it_is(rig):
    link = rig.attach()
    hello = WorkerHello(pid=100, boot="b", confinement=("landlock",))
    status = WorkerStatus(connections=1, websockets=2, requests=3, accepting=True)
    link.answer(hello)
    link.answer(status)
    (worker,) = rig.keeper.workers
    assert (hello, status) == (worker.hello, worker.status)


async def test_a_late_acknowledgement_says_nothing(rig):
    link = rig.attach()
    link.answer(RevokeAck(ack=7, closed=0))
    assert [] == rig.killed


async def test_records_of_a_worker_are_acknowledged_when_they_are_in_the_log(rig):
    link = rig.attach()
    body = (
        b'{"event.action":"http.reject","@timestamp":"2026-11-23T04:20:11.051488Z","nbgate.monotonic_us":1,'
        b'"nbgate.boot":"b1","nbgate.n":%d,"client.ip":"192.0.2.7","client.port":1,"http.response.status_code":400,'
        b'"event.reason":"bad-host","http.request.id":"r"}'
    )
    link.answer(WorkerHello(pid=1, boot="b1", confinement=()))
    link.answer(Records(boot="b1", first=1, bodies=(body % 1, body % 2)))
    assert [RecordsWritten(upto=2)] == link.of(RecordsWritten)
    assert 2 == len(rig.sink.records("http.reject"))


async def test_a_worker_that_sends_what_is_no_record_is_replaced(rig):
    link = rig.attach(0, pid=77)
    link.answer(WorkerHello(pid=77, boot="b1", confinement=()))
    link.answer(Records(boot="b1", first=1, bodies=(b"{}",)))
    assert [(0, 77, Reason.LINK_OVERFLOW)] == rig.killed
    assert link.closed


@pytest.mark.parametrize("names", [(), ("b2",), ("b2", "b1")])
async def test_a_worker_that_speaks_in_anothers_name_is_replaced(rig, names):
    link = rig.attach(0, pid=77)
    for name in names:
        link.answer(WorkerHello(pid=77, boot=name, confinement=()))
    link.answer(Records(boot="b1", first=1, bodies=()))
    assert [(0, 77, Reason.LINK_OVERFLOW)] == rig.killed
    assert [] == link.of(RecordsWritten)


async def test_workers_hear_of_a_failing_audit_and_of_its_recovery(rig):
    link = rig.attach()
    rig.sink.broken = True
    rig.keeper.take_message(next(iter(rig.keeper.workers)), UpstreamSuspect(route="main"))
    await rig.keeper.mounts.look_once()  # records a change, which fails
    since = rig.clock.unix()
    rig.sink.broken = False
    rig.clock.advance(5)
    await rig.audit.tick()
    expected = [AuditState(failing_since_unix=since), AuditState(failing_since_unix=0.0)]
    assert expected == link.of(AuditState)


async def test_ready_is_when_people_can_log_in_and_work(rig):
    assert not rig.keeper.is_ready()
    await rig.keeper.mounts.look_once()
    assert rig.keeper.is_ready()
    rig.sink.broken = True
    rig.audit.append(rig_event(rig))
    assert not rig.keeper.is_ready()


def rig_event(rig):
    from nbgate.audit.events import AuditContinue

    return AuditContinue(**rig.audit.stamp(), segment="s")


async def test_a_changed_upstream_is_pushed_and_recorded_without_its_token(rig):
    link = rig.attach()
    await rig.keeper.mounts.look_once()
    (put,) = link.of(UpstreamPut)
    assert (Condition.GUARDED, TOKEN) == (put.state.condition, put.state.token)
    assert rig.keeper.snapshot(0).upstreams == (put.state,)
    (record,) = rig.sink.records("upstream.change")
    assert ("main", "guarded") == (record["nbgate.upstream.name"], record["nbgate.upstream.condition"])
    assert TOKEN.encode() not in rig.sink.lines


async def test_another_base_url_is_another_route(rig):
    link = rig.attach()
    rig.upstream.servers = (runtime_file(base_url="/jl/"),)
    await rig.keeper.mounts.look_once()
    (changed,) = link.of(RoutesChanged)
    name = route_name("/jl/")
    assert [("main",), [(name, "/jl/", "/jl/")]] == [
        changed.gone,
        [(route.name, route.prefix, route.base_url) for route in changed.put],
    ]
    assert ([name], [], 1) == (
        [state.route for state in changed.states],
        link.of(UpstreamPut),
        len(link.of(Snapshot)),
    )


async def test_a_suspicion_wakes_the_watch(rig):
    link = rig.attach()
    link.answer(UpstreamSuspect(route="main"))
    assert rig.keeper.mounts._mounted.holder("main").watch._wake.is_set()


async def test_servers_that_come_and_go_are_recorded_and_change_the_routes():
    rig = Rig(upstreams=Upstreams())
    link = rig.attach()
    await rig.keeper.mounts.look_once()
    assert rig.keeper.is_ready()
    rig.upstream.servers = ()
    await rig.keeper.mounts.scan_once()
    assert not rig.keeper.is_ready()
    assert [(["main"], ()), ([], ("main",))] == [
        ([route.name for route in changed.put], changed.gone) for changed in link.of(RoutesChanged)
    ]
    assert [["own"]] == [[route.name for route in snapshot.routes] for snapshot in link.of(Snapshot)]
    actions = ("upstream.appear", "upstream.change", "upstream.disappear")
    told = [(r["nbgate.upstream.name"], r["message"]) for action in actions for r in rig.sink.records(action)]
    assert [("main", "127.0.0.1:8888/")] * 3 == told
    assert TOKEN.encode() not in rig.sink.lines
    await rig.close()


async def test_what_happens_to_a_server_without_a_place_is_recorded_without_a_route():
    two = tuple(RouteSpec(upstream=Upstream(host="127.0.0.1", port=port), base_url="/") for port in (1, 2))
    rig = Rig(upstreams=Upstreams(named=two))
    link = rig.attach()
    await rig.keeper.mounts.look_once()
    records = rig.sink.records("upstream.change")
    assert ["main", None] == [record.get("nbgate.upstream.name") for record in records]
    assert 1 == len(link.of(UpstreamPut))
    await rig.close()


async def test_a_reload_is_one_snapshot_to_everybody(rig):
    links = [rig.attach(0), rig.attach(1)]
    material = TlsMaterial(chain_pem=b"newer", key_pem=b"key")
    config = type(rig.keeper.config)(port=9443)
    version = rig.keeper.apply(config, material, rig.keeper.snapshot(0).tables, Rules())
    assert 2 == version
    assert [(0, 2, b"newer"), (1, 2, b"newer")] == [
        (sent.worker, sent.version, sent.tls.chain_pem) for sent in (link.of(Snapshot)[-1] for link in links)
    ]


@pytest.mark.parametrize(
    ("hsts", "is_public", "expected"),
    [("auto", False, False), ("auto", True, True), (True, False, True), (False, True, False)],
)
async def test_browsers_are_told_to_use_https_for_good_where_a_public_authority_or_the_operator_says_so(
    rig, hsts, is_public, expected
):
    material = TlsMaterial(chain_pem=b"chain", key_pem=b"key", is_public=is_public)
    rig.keeper.apply(Config(hsts=hsts), material, rig.values["tables"], Rules())
    assert expected == rig.keeper.snapshot(0).exposure.hsts


async def test_a_certificate_alone_can_be_put_into_force(rig):
    link = rig.attach()
    before = link.of(Snapshot)[-1]
    material = TlsMaterial(chain_pem=b"newer", key_pem=b"key")
    rig.keeper.use_certificate(material)
    snapshot = link.of(Snapshot)[-1]
    assert (before.version + 1, material) == (snapshot.version, snapshot.tls)
    assert before.limits == snapshot.limits


async def test_open_notebooks_of_a_session_are_added_up_over_the_workers(rig):
    for session_id in (b"1", b"2", b"3"):
        session = Session(id=session_id, user="ada", created_unix=1.0, absolute_unix=2e9)
        rig.keeper.live.put(StoredSession(session=session, last_seen_unix=1.0, cred_epoch=1))
    links = [rig.attach(0), rig.attach(1)]
    links[0].answer(OpenChannels(sessions=((b"1", 2), (b"2", 1), (b"3", -1), (b"of nobody", 1))))
    links[1].answer(OpenChannels(sessions=((b"1", 3),)))
    assert [5, 1, 0, 0] == [rig.keeper.channels(session_id) for session_id in (b"1", b"2", b"3", b"of nobody")]
    links[0].answer(OpenChannels(sessions=()))
    rig.attach(1)
    assert 0 == rig.keeper.channels(b"1")


async def test_a_link_logs_its_person_in_once(rig):
    token = await rig.keeper.links.make("ada", "uid:0 root")
    link = rig.attach()
    begun = await rig.keeper.log_in_by_link(token, attempt(password=""))
    assert (("login-link",), [SessionPut(session=begun.session)]) == (begun.session.factors, link.of(SessionPut))
    await rig.keeper.confirm(begun.session, "", "", "192.0.2.7")


async def test_who_is_logged_in_can_be_asked_again(rig):
    session = await log_in(rig)
    await rig.keeper.confirm(session, PASSWORD, "", "192.0.2.7")
    with pytest.raises(CredentialRejected):
        await rig.keeper.confirm(session, "another password", "", "192.0.2.7")


async def test_all_that_is_known_of_a_session_can_be_looked_up(rig):
    session = await log_in(rig)
    row = rig.keeper.stored(session.id)
    assert (session, "192.0.2.7", (row,)) == (row.session, row.client, rig.keeper.sessions_of(None))
    assert rig.keeper.stored(b"?" * 32) is None


async def test_the_session_that_is_one_too_many_displaces_the_one_idle_for_longest(rig):
    link = rig.attach()
    rig.keeper.apply(
        Config(sessions=Sessions(per_user=2)), rig.keeper.material, rig.values["tables"], rig.values["rules"]
    )
    first, second = await log_in(rig), await log_in(rig)
    rig.clock.advance(1)
    link.answer(Activity(ids=(first.id,)))
    third = await log_in(rig)
    assert {first.id, third.id} == {session.id for session in rig.keeper.live.all()}
    (revoked,) = link.of(SessionsRevoked)
    assert ((second.id,), "session-displaced") == (revoked.ids, revoked.reason)


async def test_a_lockdown_outlives_the_keeper(rig):
    await rig.keeper.lock_down("uid:0 root")
    await rig.keeper.accounts.add("bob", PASSWORD, "uid:0 root")
    rig.state.sessions.create(stored(rig.state.users.get("bob")))  # as if that keeper had not come to the end of it
    again = Rig(state=rig.state, clock=rig.clock)
    await again.keeper.start()
    assert (True, (), ()) == (again.keeper.is_locked_down, again.keeper.sessions_of(None), rig.state.sessions.all())
    with pytest.raises(LockedDown):
        await again.keeper.log_in(attempt())
    await again.close()


async def test_offences_are_taken_and_a_worker_that_reports_nonsense_is_replaced(rig):
    link = rig.attach(0, pid=77)
    link.answer(Offences(offences=(Offence(netblock="192.0.2.7/32", rule="no-such-rule", count=1),)))
    assert [] == rig.killed
    link.answer(Offences(offences=(Offence(netblock="?", rule="no-such-rule", count=1),)))
    assert [(0, 77, Reason.LINK_OVERFLOW)] == rig.killed
