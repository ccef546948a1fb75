"""One suite for every engine that keeps values: each sentence of `nbgate.ports.ValueStore` is a test here."""

from state_rows import ADA


def test_values_come_back_as_they_were_put_last(stores):
    assert stores.values.get("throttle") is None
    stores.values.put("throttle", b"\0\xff" * 100_000)
    stores.values.put("lockdown", b"")
    assert (b"\0\xff" * 100_000, b"") == (stores.values.get("throttle"), stores.values.get("lockdown"))
    stores.values.put("throttle", b"later")
    assert b"later" == stores.values.get("throttle")


def test_a_value_is_removed_once_and_alone(stores):
    stores.values.put("notices:ada", b"1")
    stores.values.put("notices:bob", b"2")
    assert [True, False] == [stores.values.remove("notices:ada") for _ in range(2)]
    assert (None, b"2") == (stores.values.get("notices:ada"), stores.values.get("notices:bob"))


def test_names_of_values_are_compared_exactly(stores):
    stores.values.put("notices:ada", b"1")
    assert stores.values.get("notices:Ada") is None
    assert stores.values.get("notices:ad_") is None


def test_values_outlive_accounts(stores):
    stores.users.add(ADA)
    stores.values.put("notices:ada", b"1")
    stores.users.remove("ada")
    assert b"1" == stores.values.get("notices:ada")
