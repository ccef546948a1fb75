"""One suite for every engine that keeps routes: each sentence of `nbgate.ports.RouteStore` is a test here."""

from state_rows import ADA


def test_routes_come_back_sorted_as_they_were_put_last(stores):
    assert () == stores.routes.all()
    stores.routes.put("lab.example.org/", b"")
    stores.routes.put("/lab2/", b"\0\xff" * 100_000)
    stores.routes.put("/lab10/", b"1")
    stores.routes.put("/lab2/", b"later")
    assert (("/lab10/", b"1"), ("/lab2/", b"later"), ("lab.example.org/", b"")) == stores.routes.all()


def test_a_route_is_removed_once_and_alone(stores):
    stores.routes.put("/lab1/", b"1")
    stores.routes.put("/lab2/", b"2")
    assert [True, False] == [stores.routes.remove("/lab1/") for _ in range(2)]
    assert (("/lab2/", b"2"),) == stores.routes.all()


def test_a_place_is_compared_exactly(stores):
    stores.routes.put("/Lab_/", b"1")
    assert [False] * 3 == [stores.routes.remove(at) for at in ("/lab_/", "/Lab%/", "/Lab_")]
    stores.routes.put("/lab_/", b"2")
    assert (("/Lab_/", b"1"), ("/lab_/", b"2")) == stores.routes.all()


def test_routes_are_no_values_and_outlive_accounts(stores):
    stores.users.add(ADA)
    stores.routes.put("/lab/", b"1")
    stores.values.put("/lab/", b"2")
    stores.users.remove("ada")
    stores.values.remove("/lab/")
    assert (("/lab/", b"1"),) == stores.routes.all()
