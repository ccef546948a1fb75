"""Name and password in, principal out; every other ending looks and costs the same."""

import pytest

from nbgate.authenticators import local
from nbgate.authenticators.hash_queue import HashQueue
from nbgate.authenticators.local import LocalAuthenticator
from nbgate.crypto.passwords import HashParameters, decoy_hash, hash_password, verify_password
from nbgate.errors import CredentialRejected, LoginBusy, StoreError
from nbgate.model.account import User, as_disabled, with_new_password
from nbgate.model.principal import Principal
from nbgate.ports import PasswordAuthenticator

CHEAP = HashParameters(memory_kib=8, time_cost=1)
CHEAPER = HashParameters(memory_kib=16, time_cost=1)
PASSWORD = "a good long password"
SALT = b"0123456789abcdef"
ADA = User(name="ada", password_hash=hash_password(PASSWORD, salt=SALT, parameters=CHEAP), created_unix=1.0)


class Users:
    """Accounts that can be looked at after a call; `fail` and `busy` make the next calls fail."""

    def __init__(self) -> None:
        self.rows = {"ada": ADA}
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
    def __init__(self, parameters=CHEAP):
        self.users = Users()
        self.queue = HashQueue(at_once=1, waiting=4, wait_seconds=20.0)
        self.during_hash = lambda: None
        self.calls = []
        self.authenticator: PasswordAuthenticator = LocalAuthenticator(
            users=self.users,
            in_store=self.in_store,
            hashes=self,
            parameters=parameters,
            decoy=decoy_hash(bytes(48), parameters),
            random_bytes=lambda count: b"r" * count,
        )

    async def in_store(self, call, *args, **kwargs):
        return call(*args, **kwargs)

    async def run(self, call, *args, **kwargs):
        """Stand where the queue stands, count, and hand on to it."""
        self.calls.append(call)
        result = await self.queue.run(call, *args, **kwargs)
        self.during_hash()
        return result


@pytest.fixture
def world():
    world = World()
    yield world
    world.queue.close()


async def test_the_right_password_makes_a_principal(world):
    found = await world.authenticator.authenticate("ada", PASSWORD)
    assert Principal(user="ada", factors=("password",), cred_epoch=1) == found
    assert [verify_password] == world.calls


async def test_a_name_is_canonicalised_once(world):
    assert "ada" == (await world.authenticator.authenticate("ADA", PASSWORD)).user
    assert ["ada"] == world.users.asked


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ada", "a wrong long password"),
        ("ada", ""),
        ("ada", PASSWORD + " "),
        ("ada ", PASSWORD),
        ("eve", PASSWORD),
        ("", PASSWORD),
        ("\u212a", PASSWORD),
        ("x" * 100000, PASSWORD),
        ("eve", bytes(range(48))[16:].hex()),
    ],
)
async def test_every_wrong_credential_costs_one_hash_and_ends_the_same(world, username, password):
    with pytest.raises(CredentialRejected) as caught:
        await world.authenticator.authenticate(username, password)
    assert [verify_password] == world.calls
    assert (("credential rejected",), None) == (caught.value.args, caught.value.__cause__)


async def test_not_even_the_decoys_own_password_opens_anything(world):
    with pytest.raises(CredentialRejected):
        await world.authenticator.authenticate("eve", bytes(32).hex())
    assert [verify_password] == world.calls


async def test_a_disabled_account_is_no_account(world):
    world.users.rows["ada"] = as_disabled(ADA)
    with pytest.raises(CredentialRejected):
        await world.authenticator.authenticate("ada", PASSWORD)
    assert [verify_password] == world.calls


async def test_what_is_too_long_takes_no_turn_for_anybody(world):
    for name in ("ada", "eve"):
        with pytest.raises(CredentialRejected):
            await world.authenticator.authenticate(name, "x" * 1025)
    assert ([], []) == (world.calls, world.users.asked)


async def test_a_store_that_is_down_is_no_wrong_password(world):
    world.users.fail = True
    with pytest.raises(StoreError):
        await world.authenticator.authenticate("ada", PASSWORD)


async def test_old_parameters_are_renewed_after_a_good_login():
    world = World(parameters=CHEAPER)
    found = await world.authenticator.authenticate("ada", PASSWORD)
    renewed = world.users.rows["ada"]
    assert hash_password(PASSWORD, salt=b"r" * 16, parameters=CHEAPER) == renewed.password_hash
    assert [1, 1] == [found.cred_epoch, renewed.cred_epoch]
    assert [verify_password, hash_password] == world.calls
    assert found == await world.authenticator.authenticate("ada", PASSWORD)
    assert [verify_password, hash_password, verify_password] == world.calls
    world.queue.close()


async def test_no_renewal_overwrites_a_password_that_was_changed_meanwhile():
    world = World(parameters=CHEAPER)
    changed = with_new_password(ADA, "$new")

    def change():
        world.users.rows["ada"] = changed

    world.during_hash = change
    found = await world.authenticator.authenticate("ada", PASSWORD)
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
    assert "ada" == (await world.authenticator.authenticate("ada", PASSWORD)).user
    assert ADA == world.users.rows["ada"]
    world.queue.close()
