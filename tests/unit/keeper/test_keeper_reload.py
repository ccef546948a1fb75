import pytest
from msgspec import structs

from nbgate.config.schema import Config, Limits, Sessions
from nbgate.errors import AuditError, ConfigError, Problem
from nbgate.http.headers import make_tables
from nbgate.keeper.guarded import Upstreams, route_name
from nbgate.keeper.login import LoginAttempt
from nbgate.keeper.reload import Fresh, Reloader, config_sha256
from nbgate.link.messages import Snapshot
from nbgate.model.keys import TlsMaterial
from nbgate.model.route import Condition, Upstream
from nbgate.model.route_spec import RouteSpec
from nbgate.model.rule import Rules
from nbgate.testing.keeper_parts import PASSWORD, UPSTREAM

TABLES = make_tables(methods=frozenset({"GET", "POST"}))


def fresh(**changes):
    return Fresh(
        config=Config(**changes),
        upstreams=Upstreams(),
        tables=TABLES,
        rules=Rules(),
        material=TlsMaterial(chain_pem=b"newer", key_pem=b"key"),
        fingerprint="ab",
    )


def reloader(rig, load):
    loaded = []
    return Reloader(rig.keeper, load, rig.audit, fingerprint="AA", on_loaded=loaded.append), loaded


async def test_a_good_configuration_reaches_every_worker_and_is_recorded(rig):
    link = rig.attach()
    new = fresh(sessions=Sessions(idle_seconds=60.0))
    subject, loaded = reloader(rig, lambda: new)
    assert {
        "version": 2,
        "needs_restart": [],
        "changed": [
            {"option": "sessions.idle_seconds", "old": "43200.0", "new": "60.0"},
            {"option": "certificate", "old": "AA", "new": new.fingerprint},
        ],
    } == await subject.reload("uid:0 root")
    assert [] == (await subject.reload("uid:0 root"))["changed"]
    snapshot = link.of(Snapshot)[-2]
    assert (2, b"newer", TABLES) == (snapshot.version, snapshot.tls.chain_pem, snapshot.tables)
    assert (60.0, [new, new]) == (rig.keeper.live.idle_seconds, loaded)
    record, _ = rig.sink.records("config.loaded")
    assert ("version 2 in force", "uid:0 root", config_sha256(new.config)) == (
        record["message"],
        record["nbgate.actor"],
        record["nbgate.config.sha256"],
    )


async def test_what_cannot_change_while_running_is_named_and_left(rig):
    subject, _ = reloader(rig, lambda: fresh(port=9443, ip="*", base_url="/x/"))
    assert ["base_url", "ip", "port"] == (await subject.reload("a"))["needs_restart"]
    assert (8443, "127.0.0.1") == (rig.keeper.config.port, rig.keeper.config.ip)


async def test_other_servers_are_mounted_and_those_that_stay_notice_nothing(rig):
    await rig.keeper.mounts.look_once()
    link = rig.attach()
    second = RouteSpec(upstream=Upstream(host="127.0.0.1", port=9999), prefix="/second/")
    new = structs.replace(
        fresh(upstream=("localhost:8888", "/second/=localhost:9999"), allow=("/second/=ada",)),
        upstreams=Upstreams(named=(RouteSpec(upstream=UPSTREAM), second)),
    )
    subject, _ = reloader(rig, lambda: new)
    assert [] == (await subject.reload("a"))["needs_restart"]
    snapshot = link.of(Snapshot)[-1]
    assert {"/": (), "/second/": ("ada",), "/_nbgate/": ()} == {r.prefix: r.allowed for r in snapshot.routes}
    conditions = {state.route: state.condition for state in snapshot.upstreams}
    assert {"main": Condition.GUARDED, route_name("/second/"): Condition.UNKNOWN} == conditions


async def test_another_file_with_the_servers_token_is_read_from_then_on(rig):
    """Both by those that are named, which are watched anew, and by those that are found."""
    subject, _ = reloader(rig, lambda: fresh(upstream_token_file="/other", upstream_password_file="/other"))
    assert [] == (await subject.reload("a"))["needs_restart"]
    assert ("/other", "/other") == (rig.keeper.config.upstream_token_file, rig.keeper.config.upstream_password_file)


async def test_of_a_table_only_what_can_change_is_changed(rig):
    limits = Limits(drain_seconds=1.0, keepalive_seconds=2.0)
    subject, _ = reloader(rig, lambda: fresh(limits=limits))
    assert ["limits.drain_seconds"] == (await subject.reload("a"))["needs_restart"]
    assert Limits(keepalive_seconds=2.0) == rig.keeper.config.limits


async def test_a_bad_configuration_changes_nothing_says_so_and_is_recorded(rig):
    link = rig.attach()

    def load():
        raise ConfigError((Problem("nbgate.toml:3", "unknown option"),))

    subject, loaded = reloader(rig, load)
    with pytest.raises(ConfigError):
        await subject.reload("uid:0 root")
    assert (1, []) == (len(link.of(Snapshot)), loaded)
    (record,) = rig.sink.records("config.loaded")
    assert ("failure", "refused: nbgate.toml:3: unknown option") == (record["event.outcome"], record["message"])


async def test_a_reload_that_cannot_be_recorded_says_so(rig):
    subject, _ = reloader(rig, fresh)
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await subject.reload("a")


def test_a_configuration_has_one_name():
    assert config_sha256(Config()) == config_sha256(Config())
    assert config_sha256(Config()) != config_sha256(Config(port=1))


async def test_a_session_that_begins_after_a_reload_lives_as_long_as_it_says(rig):
    subject, _ = reloader(rig, lambda: fresh(sessions=Sessions(absolute_seconds=60.0)))
    await subject.reload("a")
    attempt = LoginAttempt(username="ada", password=PASSWORD, client="192.0.2.7", request_id="1")
    session = (await rig.keeper.log_in(attempt)).session
    assert session.created_unix + 60.0 == session.absolute_unix


async def test_a_certificate_that_was_taken_meanwhile_is_not_told_again(rig):
    subject, _ = reloader(rig, fresh)
    subject.fingerprint = fresh().fingerprint
    assert [] == (await subject.reload("a"))["changed"]
