import json
import os

import pytest
from pyotp import TOTP

from nbgate.clock import ManualClock
from nbgate.config.schema import Config, Login
from nbgate.errors import CredentialRejected, ExitCode, LoginThrottled, StartError, StoreError
from nbgate.http.headers import make_tables
from nbgate.keeper.assemble import opened, real_eyes
from nbgate.keeper.guarded import Upstreams
from nbgate.keeper.login import LoginAttempt
from nbgate.keeper.reload import Fresh
from nbgate.keeper.route_rules import RouteError
from nbgate.link.messages import AuditState
from nbgate.model.keys import TlsMaterial
from nbgate.model.route import Condition, Upstream
from nbgate.model.route_spec import RouteSpec
from nbgate.model.rule import Rules
from nbgate.testing.keeper_parts import PASSWORD, FakeLink

LAB = RouteSpec(upstream=Upstream(host="127.0.0.1", port=2), prefix="/lab1/", token="5ecre7")


def fresh(folder, **changes):
    config = Config(data_dir=str(folder), login=Login(memory_kib=8192, time_cost=1), **changes)
    return Fresh(
        config=config,
        upstreams=Upstreams(named=(RouteSpec(upstream=Upstream(host="127.0.0.1", port=1)),)),
        tables=make_tables(methods=frozenset({"GET"})),
        rules=Rules(),
        material=TlsMaterial(chain_pem=b"c", key_pem=b"k"),
        fingerprint="",
    )


def attempt(client="192.0.2.7", **more):
    return LoginAttempt(username="ada", password=PASSWORD, client=client, request_id="r", **more)


def nobody(worker, pid, reason):
    raise AssertionError


async def test_sessions_and_keys_outlive_the_process(tmp_path):
    clock = ManualClock()
    async with opened(fresh(tmp_path / "data"), clock, nobody) as parts:
        await parts.keeper.accounts.add("ada", PASSWORD, "a")
        session = (await parts.keeper.log_in(attempt())).session
        await parts.keeper.route_book.add(LAB, "a")
        before = parts.keeper.snapshot(0)
        form_key = parts.keeper.form_key
    async with opened(fresh(tmp_path / "data"), clock, nobody) as parts:
        after = parts.keeper.snapshot(0)
        assert (session,) == after.sessions
        assert (before.sealing_keys, form_key) == (after.sealing_keys, parts.keeper.form_key)
        assert ["/", "/lab1/", "/_nbgate/"] == [route.prefix for route in after.routes]
        assert str(tmp_path / "data" / "pages.sock") == after.routes[2].upstream.path
        own = Upstream(path=str(tmp_path / "data" / "control.sock"))
        with pytest.raises(RouteError, match="is nbgate itself"):
            await parts.keeper.route_book.add(RouteSpec(upstream=own, prefix="/own/"), "a")
        await parts.keeper.mounts.look_once()
        assert [Condition.DOWN] * 2 == [state.condition for state in parts.keeper.mounts.states()]
    assert not [path for path in (tmp_path / "data").rglob("*") if path.stat().st_mode & 0o077]


async def test_second_factors_known_browsers_and_failures_outlive_the_process(tmp_path):
    clock = ManualClock()
    async with opened(fresh(tmp_path / "data"), clock, nobody) as parts:
        keeper = parts.keeper
        await keeper.accounts.add("ada", PASSWORD, "a")
        app = TOTP(keeper.factors.begin_totp("ada").secret)
        await keeper.factors.confirm_totp("ada", app.at(int(clock.unix())), "a")
        clock.advance(30.0)
        code = app.at(int(clock.unix()))
        device = (await keeper.log_in(attempt(code=code))).device_cookie
        for number in range(5):
            with pytest.raises(CredentialRejected):
                await keeper.log_in(attempt(code="000000", client=f"10.0.{number}.1"))
        await keeper.throttle.store()
    async with opened(fresh(tmp_path / "data"), clock, nobody) as parts:
        with pytest.raises(CredentialRejected):
            await parts.keeper.log_in(attempt(code=code, device=device))  # its step is used up
        clock.advance(30.0)
        with pytest.raises(LoginThrottled):
            await parts.keeper.log_in(attempt(code=app.at(int(clock.unix())), client="10.1.1.1"))
        assert await parts.keeper.log_in(attempt(code=app.at(int(clock.unix())), device=device))
    secret = app.secret.encode()
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file() and secret in path.read_bytes()]


async def test_two_keepers_never_share_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("nbgate.keeper.folder.time.sleep", lambda seconds: None)
    monkeypatch.setattr("nbgate.keeper.folder.time.monotonic", iter(range(0, 1000, 10)).__next__)
    async with opened(fresh(tmp_path / "data"), ManualClock(), nobody):
        with pytest.raises(StartError) as caught:
            async with opened(fresh(tmp_path / "data"), ManualClock(), nobody):
                pass
    assert ExitCode.TRY_AGAIN == caught.value.exit_code


async def test_a_damaged_state_is_refused(tmp_path):
    async with opened(fresh(tmp_path / "data"), ManualClock(), nobody):
        pass
    (tmp_path / "data" / "state.db").write_bytes(os.urandom(8192))
    with pytest.raises(StoreError):
        async with opened(fresh(tmp_path / "data"), ManualClock(), nobody):
            pass


async def test_workers_hear_of_a_failing_audit(tmp_path):
    async with opened(fresh(tmp_path / "data"), ManualClock(), nobody) as parts:
        link = FakeLink()
        parts.keeper.attach_worker(1, 10, link)
        parts.audit._on_change(5.0)
        assert [AuditState(failing_since_unix=5.0)] == link.of(AuditState)


async def test_eyes_look_at_this_machine(tmp_path, monkeypatch):
    (tmp_path / "jpserver-1.json").write_text(json.dumps({"pid": os.getpid(), "port": 8888, "token": "t"}))
    (tmp_path / "jpserver-1.json").chmod(0o600)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    config = Config()
    eyes = real_eyes(lambda: config, ManualClock(), 1.0)
    assert ["t"] == [file.token for file in await eyes.servers(Upstream(host="127.0.0.1", port=8888))]
    assert () == await eyes.running()  # nothing listens there
    assert ("", "") == (await eyes.named_token(), await eyes.named_password())
    (tmp_path / "token").write_text("named")
    (tmp_path / "token").chmod(0o600)
    config = Config(upstream_token_file=str(tmp_path / "token"), upstream_password_file=str(tmp_path / "token"))
    assert ("named", "named") == (await eyes.named_token(), await eyes.named_password())
