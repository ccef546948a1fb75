"""One connection: changes are whole, durable where it is asked for, and errors carry the path."""

import sqlite3

import pytest

from nbgate.errors import StoreError
from nbgate.stores.database import Database


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
    yield connection
    connection.close()


@pytest.fixture
def database(connection, tmp_path):
    return Database(connection, tmp_path / "state.db")


def test_a_change_is_there_as_a_whole(database):
    with database.transaction():
        assert [1, 1] == [database.change("INSERT INTO numbers VALUES (?)", (n,)) for n in (1, 2)]
    assert [(1,), (2,)] == database.rows("SELECT n FROM numbers")
    assert [(2,)] == database.rows("SELECT n FROM numbers WHERE n > ?", (1,))


def add_one_and_one_more(database, number, error=None):
    with database.transaction():
        database.change("INSERT INTO numbers VALUES (?)", (1,))
        if error:
            raise error
        database.change("INSERT INTO numbers VALUES (?)", (number,))


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_undoes_all_of_it_and_reaches_the_caller(database, error):
    with pytest.raises(error):
        add_one_and_one_more(database, 2, error)
    assert [] == database.rows("SELECT n FROM numbers")
    add_one_and_one_more(database, 2)
    assert [(1,), (2,)] == database.rows("SELECT n FROM numbers")


def test_an_error_of_the_engine_undoes_all_of_it_and_names_the_file(database, tmp_path):
    with pytest.raises(StoreError, match="cannot be used") as caught:
        add_one_and_one_more(database, 1)
    assert f"{tmp_path / 'state.db'}: UNIQUE constraint failed: numbers.n" == caught.value.hint
    assert [] == database.rows("SELECT n FROM numbers")


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_how_far_a_change_is_synced(database, durable, level):
    with database.transaction(durable=durable):
        assert [(level,)] == database.rows("PRAGMA synchronous")
