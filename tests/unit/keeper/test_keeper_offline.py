import json

import pyotp
import pytest
from msgspec import structs

from nbgate.config.schema import Config, Login
from nbgate.errors import ExitCode, StartError
from nbgate.keeper.folder import held
from nbgate.keeper.offline import offline_accounts, offline_factors, offline_routes
from nbgate.model.account import StoredSession
from nbgate.model.route import Upstream
from nbgate.model.route_spec import RouteSpec
from nbgate.model.session import Session
from nbgate.stores.sqlite import open_state
from nbgate.testing.keeper_parts import PASSWORD


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def config(folder) -> Config:
    return Config(data_dir=str(folder), login=Login(memory_kib=8192, time_cost=1))


def records(folder):
    lines = [line for path in sorted((folder / "audit").glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


async def test_an_account_is_made_and_recorded_without_a_gateway(config, folder):
    async with offline_accounts(config) as accounts:
        await accounts.add("ada", PASSWORD, "uid:0 root")
    async with offline_accounts(config) as accounts:
        assert ["ada"] == [user.name for user in await accounts.all()]
    (changed,) = [record for record in records(folder) if record["event.action"] == "user.change"]
    assert ("ada", "added", "uid:0 root") == (changed["user.target.name"], changed["message"], changed["nbgate.actor"])


async def test_sessions_of_a_changed_account_end_in_the_store_and_are_recorded(config, folder):
    async with offline_accounts(config) as accounts:
        await accounts.add("ada", PASSWORD, "uid:0 root")
    state = open_state(folder / "state.db")
    session = Session(id=b"1" * 32, user="ada", created_unix=1.0, absolute_unix=2.0)
    state.sessions.create(
        StoredSession(session=session, last_seen_unix=1.0, cred_epoch=state.users.get("ada").cred_epoch)
    )
    state.close()
    async with offline_accounts(config) as accounts:
        assert 1 == (await accounts.disable("ada", "uid:0 root")).ended_sessions
        assert 0 == (await accounts.disable("ada", "uid:0 root")).ended_sessions
    (ended,) = [record for record in records(folder) if record["event.action"] == "session.end"]
    assert (session.label, "user-disabled") == (ended["nbgate.session.id"], ended["event.reason"])


async def test_a_second_factor_is_stored_sealed_and_recorded(config, folder):
    async with offline_accounts(config) as accounts:
        await accounts.add("ada", PASSWORD, "uid:0 root")
    async with offline_factors(config) as factors:
        secret = factors.begin_totp("ada", "gw").secret
        codes = await factors.confirm_totp("ada", pyotp.TOTP(secret).now(), "uid:0 root")
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert (10, True) == (len(codes), b"factor.change" in written)
    assert [] == [text for text in (secret, *codes) if text.encode() in written]


async def test_a_route_is_kept_sealed_and_recorded(config, folder):
    spec = RouteSpec(upstream=Upstream(host="127.0.0.1", port=8889), prefix="/lab1/", token="5ecre7")
    for expected in (False, True):
        async with offline_routes(config) as book:
            assert expected is await book.add(spec, "uid:0 root")
            assert ["/lab1/"] == [route.at for route in book.all()]
    async with offline_routes(config) as book:
        await book.remove("", "/lab1/", "uid:0 root")
        assert () == book.all()
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"5ecre7" not in written
    told = [(r["message"], r["nbgate.actor"]) for r in records(folder) if r["event.action"] == "route.change"]
    assert [(message, "uid:0 root") for message in ("added", "changed", "removed")] == told


async def test_what_goes_with_the_configuration_no_more_can_be_removed(config, folder):
    spec = RouteSpec(upstream=Upstream(host="127.0.0.1", port=8889), prefix="/lab1/")
    async with offline_routes(config) as book:
        await book.add(spec, "uid:0 root")
    async with offline_routes(structs.replace(config, upstream=("/lab1/=localhost:1",))) as book:
        assert ["configuration", "runtime"] == [route.source for route in book.all()]
        assert "not mounted: the configuration mounts" in book.all()[1].hint
        await book.remove("", "/lab1/", "uid:0 root")
        assert ["configuration"] == [route.source for route in book.all()]


@pytest.mark.parametrize("offline", [offline_accounts, offline_factors, offline_routes])
async def test_while_a_gateway_holds_the_folder_it_is_the_one_to_ask(config, folder, monkeypatch, offline):
    async with offline_accounts(config):
        pass
    monkeypatch.setattr("nbgate.keeper.folder.time.sleep", lambda seconds: None)
    monkeypatch.setattr("nbgate.keeper.folder.LOCK_WAIT_SECONDS", 0.0)
    with held(folder), pytest.raises(StartError) as caught:
        async with offline(config):
            pass
    assert ExitCode.TRY_AGAIN == caught.value.exit_code
