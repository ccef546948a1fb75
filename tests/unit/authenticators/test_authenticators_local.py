"""Name, password and code in, principal out; every other ending looks and costs the same."""

import contextlib
import hashlib

import msgspec
import pytest

from nbgate.authenticators import local
from nbgate.authenticators.hash_queue import HashQueue
from nbgate.authenticators.local import LocalAuthenticator
from nbgate.clock import ManualClock
from nbgate.crypto import foreign_hashes
from nbgate.crypto.passwords import HashParameters, decoy_hash, hash_password
from nbgate.crypto.recovery import digest_recovery_code, make_recovery_codes
from nbgate.crypto.sealing import Keyring
from nbgate.crypto.totp import PURPOSE, seal_totp_secret
from nbgate.errors import CredentialRejected, LoginBusy, SecondFactorRejected, StoreError
from nbgate.model.account import Spent, User, as_disabled, with_new_password
from nbgate.model.keys import SealingKey
from nbgate.model.principal import Credentials, Principal
from nbgate.model.session import Role
from nbgate.ports import Authenticator

CHEAP = HashParameters(memory_kib=8, time_cost=1)
CHEAPER = HashParameters(memory_kib=16, time_cost=1)
PASSWORD = "a good long password"
WRONG = "a wrong long password"
SALT = b"0123456789abcdef"
KEYS = Keyring((SealingKey(id=0, secret=bytes(32)),), purpose=PURPOSE)
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238 appendix B
NOW, STEP, CODE, NEXT_CODE = 1111111109.0, 37037036, "081804", "050471"
RECOVERY_CODES = make_recovery_codes(hashlib.shake_256(b"recovery").digest(160))
LEFT = tuple(digest_recovery_code(code) for code in RECOVERY_CODES)
ADA = User(name="ada", password_hash=hash_password(PASSWORD, salt=SALT, parameters=CHEAP), created_unix=1.0)
BOTH = msgspec.structs.replace(
    ADA, name="bob", totp=seal_totp_secret(KEYS, SECRET, "bob", bytes(12)), recovery=LEFT, role=Role.OWNER
)
ALONE = msgspec.structs.replace(
    BOTH, name="cyd", password_hash="", totp=seal_totp_secret(KEYS, SECRET, "cyd", bytes(12))
)
BARE = User(name="dan", password_hash="", created_unix=1.0)  # neither password nor TOTP
CLASSIC = User(
    name="eli",
    password_hash=f"sha1:0e112c3ddfce:{hashlib.sha1(f'{PASSWORD}0e112c3ddfce'.encode()).hexdigest()}",
    created_unix=1.0,
)


class Users:
    """Accounts that can be looked at after a call; `fail` makes the next calls fail."""

    def __init__(self) -> None:
        self.rows = {user.name: user for user in (ADA, BOTH, ALONE, BARE, CLASSIC)}
        self.asked: list[str] = []
        self.fail = False

    def get(self, name):
        self.asked.append(name)
        if self.fail:
            raise StoreError("broken")
        return self.rows.get(name)

    def replace(self, old, new):
        if self.rows[old.name] != old:
            return None
        self.rows[old.name] = new
        return ()


class World:
    def __init__(self, parameters=CHEAP, window=(-1, 0)):
        self.users = Users()
        self.queue = HashQueue(at_once=1, waiting=4, wait_seconds=20.0)
        self.clock = ManualClock(unix=NOW)
        self.during_hash = lambda: None
        self.calls = []
        self.lanes = []
        self.authenticator: Authenticator = LocalAuthenticator(
            users=self.users,
            in_store=self.in_store,
            hashes=self,
            parameters=parameters,
            decoy=decoy_hash(bytes(48), parameters),
            random_bytes=lambda count: b"r" * count,
            totp_keys=KEYS,
            clock=self.clock,
            totp_window=lambda: window,
        )

    async def in_store(self, call, *args, **kwargs):
        return call(*args, **kwargs)

    async def run(self, call, *args, **kwargs):
        """Stand where the queue stands, count, and hand on to it."""
        return await self._hand_on(self.queue.run, call, *args, **kwargs)

    async def run_first(self, call, *args, **kwargs):
        return await self._hand_on(self.queue.run_first, call, *args, **kwargs)

    async def _hand_on(self, lane, call, *args, **kwargs):
        self.calls.append(call.__name__)
        self.lanes.append(lane.__name__)
        result = await lane(call, *args, **kwargs)
        self.during_hash()
        return result

    async def log_in(self, username="ada", password=PASSWORD, code="", *, first=False):
        offered = Credentials(username=username, password=password, code=code)
        return await self.authenticator.authenticate(offered, first=first)

    async def rejected(self, *args, **kwargs):
        """Return the class of the error, which looks like any other."""
        with pytest.raises(CredentialRejected) as caught:
            await self.log_in(*args, **kwargs)
        assert ("credential rejected", 401, None) == (str(caught.value), caught.value.status, caught.value.__cause__)
        return type(caught.value)


VERIFY, HASH = "verify_at_equal_cost", "hash_password"


@pytest.fixture
def world():
    world = World()
    yield world
    world.queue.close()


async def test_the_right_password_makes_a_principal(world):
    assert Principal(user="ada", factors=("password",), cred_epoch=1, role=Role.EDITOR) == await world.log_in()
    assert [VERIFY] == world.calls


async def test_a_name_is_canonicalised_once(world):
    assert "ada" == (await world.log_in("ADA")).user
    assert ["ada"] == world.users.asked


async def test_the_role_and_the_epoch_are_those_of_the_account_that_was_checked(world):
    world.users.rows["ada"] = msgspec.structs.replace(ADA, role=Role.AUDITOR, cred_epoch=7)
    found = await world.log_in()
    assert (Role.AUDITOR, 7) == (found.role, found.cred_epoch)


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        ("ada", WRONG, ""),
        ("ada", "", ""),
        ("ada", "", CODE),
        ("ada", PASSWORD + " ", ""),
        ("ada ", PASSWORD, ""),
        ("eve", PASSWORD, ""),
        ("eve", "", ""),
        ("eve", "", CODE),
        ("", PASSWORD, ""),
        ("", "", ""),
        ("", "", CODE),
        ("\u212a", PASSWORD, ""),
        ("x" * 100000, PASSWORD, ""),
        ("eve", bytes(32).hex(), ""),
        ("bob", WRONG, CODE),
        ("bob", "", CODE),
        ("bob", WRONG, RECOVERY_CODES[0]),
        ("cyd", PASSWORD, CODE),
        ("cyd", WRONG, RECOVERY_CODES[0]),
        ("dan", "", ""),
        ("dan", "", CODE),
        ("dan", PASSWORD, ""),
        ("eli", WRONG, ""),
        ("eli", "", CODE),
        ("ada", "\ud800", ""),
        ("cyd", "\ud800", CODE),
    ],
)
async def test_every_wrong_credential_costs_one_turn_and_ends_the_same(world, username, password, code):
    assert CredentialRejected is await world.rejected(username, password, code)
    assert [VERIFY] == world.calls


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        ("ada", WRONG, ""),
        ("ada", PASSWORD, ""),
        ("eve", PASSWORD, ""),
        ("bob", PASSWORD, CODE),
        ("bob", PASSWORD, "000000"),
        ("cyd", "", CODE),
        ("cyd", "", "000000"),
        ("cyd", PASSWORD, CODE),
        ("dan", "", ""),
        ("eli", WRONG, ""),
    ],
)
async def test_every_attempt_costs_one_argon2id_of_the_parameters_in_force(
    world, monkeypatch, username, password, code
):
    spent = []
    verify = foreign_hashes.verify_password
    monkeypatch.setattr(foreign_hashes, "verify_password", lambda *args: spent.append(args) or verify(*args))
    with contextlib.suppress(CredentialRejected):
        await world.log_in(username, password, code)
    assert [(True, password)] == [
        (stored.startswith("$argon2id$v=19$m=8,t=1,p=1$"), offered) for stored, offered in spent
    ]


async def test_a_disabled_account_is_no_account(world):
    for user, password, code in ((ADA, PASSWORD, ""), (BOTH, PASSWORD, "000000"), (ALONE, "", CODE)):
        world.users.rows[user.name] = as_disabled(user)
        assert CredentialRejected is await world.rejected(user.name, password, code)
    assert [VERIFY] * 3 == world.calls


async def test_what_is_too_long_takes_no_turn_for_anybody(world):
    for name in ("ada", "eve", "cyd"):
        assert CredentialRejected is await world.rejected(name, "x" * 1025)
    assert ([], []) == (world.calls, world.users.asked)


async def test_a_store_that_is_down_is_no_wrong_password(world):
    world.users.fail = True
    with pytest.raises(StoreError):
        await world.log_in()


@pytest.mark.parametrize("code", ["000000", CODE, "x" * 100000])
async def test_a_code_that_nobody_asked_for_is_ignored(world, code):
    assert (("password",), None) == ((found := await world.log_in(code=code)).factors, found.spent)


@pytest.mark.parametrize(
    ("username", "password", "code", "factors", "spent"),
    [
        ("bob", PASSWORD, CODE, ("password", "totp"), Spent(totp_step=STEP)),
        ("bob", PASSWORD, RECOVERY_CODES[4], ("password", "recovery"), Spent(recovery=LEFT[4])),
        (
            "bob",
            PASSWORD,
            RECOVERY_CODES[4].lower().replace("-", " "),
            ("password", "recovery"),
            Spent(recovery=LEFT[4]),
        ),
        ("cyd", "", CODE, ("totp",), Spent(totp_step=STEP)),
        ("cyd", "", RECOVERY_CODES[0], ("recovery",), Spent(recovery=LEFT[0])),
    ],
)
async def test_what_a_code_proves_and_uses_up(world, username, password, code, factors, spent):
    expected = Principal(user=username, factors=factors, cred_epoch=1, role=Role.OWNER, spent=spent)
    assert expected == await world.log_in(username, password, code)
    assert [VERIFY] == world.calls
    assert (BOTH, ALONE) == (world.users.rows["bob"], world.users.rows["cyd"])  # the session's creation uses it up


@pytest.mark.parametrize(
    "code",
    [
        "",
        "081805",
        "81804",
        CODE + "\n",
        "081 804",
        "A" * 25,
        RECOVERY_CODES[0][:-1],
        "\uff10\uff18\uff11\uff18\uff10\uff14",
    ],
)
@pytest.mark.parametrize(("username", "password"), [("bob", PASSWORD), ("cyd", "")])
async def test_where_the_code_alone_is_wrong_the_keeper_is_told(world, username, password, code):
    assert SecondFactorRejected is await world.rejected(username, password, code)
    assert [VERIFY] == world.calls


@pytest.mark.parametrize(
    ("now", "last_step", "good"),
    [
        (NOW, 0, True),
        (NOW + 30, 0, True),
        (NOW + 31, 0, False),
        (NOW - 30, 0, False),
        (NOW, STEP, False),
        (NOW + 1, STEP, False),  # its successor is the present one, and this one was used
        (NOW, STEP + 20, False),  # the clock was set back by ten minutes
        (NOW, STEP - 1, True),
    ],
)
async def test_a_code_is_good_in_its_window_and_once(world, now, last_step, good):
    world.clock.set_unix(now)
    world.users.rows["bob"] = msgspec.structs.replace(BOTH, totp_step=last_step)
    if good:
        assert Spent(totp_step=STEP) == (await world.log_in("bob", code=CODE)).spent
    else:
        assert SecondFactorRejected is await world.rejected("bob", code=CODE)


async def test_the_window_is_the_configured_one():
    world = World(window=(0,))
    world.clock.advance(1)
    assert SecondFactorRejected is await world.rejected("bob", code=CODE)
    assert Spent(totp_step=STEP + 1) == (await world.log_in("bob", code=NEXT_CODE)).spent
    world.queue.close()


async def test_a_recovery_code_that_was_used_is_none(world):
    world.users.rows["bob"] = msgspec.structs.replace(BOTH, recovery=LEFT[1:])
    assert SecondFactorRejected is await world.rejected("bob", code=RECOVERY_CODES[0])
    assert Spent(recovery=LEFT[1]) == (await world.log_in("bob", code=RECOVERY_CODES[1])).spent


async def test_a_secret_that_cannot_be_read_is_no_wrong_code(world):
    """And only who has the password learns of it."""
    world.users.rows["bob"] = msgspec.structs.replace(BOTH, totp=ALONE.totp)
    with pytest.raises(StoreError, match="TOTP secret cannot be read"):
        await world.log_in("bob", code=CODE)
    assert CredentialRejected is await world.rejected("bob", WRONG, CODE)


async def test_a_known_browser_goes_first(world):
    await world.log_in(first=True)
    await world.rejected("eve", first=True)
    await world.log_in()
    assert ["run_first", "run_first", "run"] == world.lanes


async def test_old_parameters_are_renewed_after_a_good_login():
    world = World(parameters=CHEAPER)
    found = await world.log_in()
    renewed = world.users.rows["ada"]
    assert hash_password(PASSWORD, salt=b"r" * 16, parameters=CHEAPER) == renewed.password_hash
    assert [1, 1] == [found.cred_epoch, renewed.cred_epoch]
    assert [VERIFY, HASH] == world.calls
    assert found == await world.log_in()
    assert [VERIFY, HASH, VERIFY] == world.calls
    world.queue.close()


async def test_a_hash_of_jupyters_is_good_for_one_login(world):
    found = await world.log_in("eli")
    renewed = world.users.rows["eli"]
    assert (("password",), 1, 1) == (found.factors, found.cred_epoch, renewed.cred_epoch)
    assert hash_password(PASSWORD, salt=b"r" * 16, parameters=CHEAP) == renewed.password_hash
    assert found == await world.log_in("eli")
    assert [VERIFY, HASH, VERIFY] == world.calls


async def test_nothing_is_renewed_before_the_code_was_right():
    """It takes a second hash: the time would tell that the password was right."""
    world = World(parameters=CHEAPER)
    assert SecondFactorRejected is await world.rejected("bob", code="000000")
    assert ([VERIFY], BOTH) == (world.calls, world.users.rows["bob"])
    await world.log_in("bob", code=CODE)
    assert [VERIFY, VERIFY, HASH] == world.calls
    world.queue.close()


async def test_an_account_without_a_password_gets_none(world):
    await world.log_in("cyd", "", CODE)
    assert ([VERIFY], "") == (world.calls, world.users.rows["cyd"].password_hash)


async def test_no_renewal_overwrites_a_password_that_was_changed_meanwhile():
    world = World(parameters=CHEAPER)
    changed = with_new_password(ADA, "$new")

    def change():
        world.users.rows["ada"] = changed

    world.during_hash = change
    found = await world.log_in()
    assert changed == world.users.rows["ada"]
    assert 1 == found.cred_epoch  # and the store will make no session of it
    world.queue.close()


async def test_a_renewal_that_finds_no_place_waits_for_the_next_login(monkeypatch):
    world = World(parameters=CHEAPER)

    async def run(call, *args, **kwargs):
        if call is local.hash_password:
            raise LoginBusy
        return call(*args, **kwargs)

    monkeypatch.setattr(world, "run", run)
    assert "ada" == (await world.log_in()).user
    assert ADA == world.users.rows["ada"]
    world.queue.close()


async def test_too_many_are_told_before_anything_was_looked_at(world, monkeypatch):
    async def run(*_args, **_kwargs):
        raise LoginBusy

    monkeypatch.setattr(world, "run", run)
    for name in ("ada", "eve"):
        with pytest.raises(LoginBusy):
            await world.log_in(name)
