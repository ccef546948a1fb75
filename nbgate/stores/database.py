"""One SQLite connection whose errors are `StoreError` and whose changes are transactions. Knows no table."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbgate.errors import StoreError


class Database:
    """Runs statements in the file `path`; used by one thread at a time, from any."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        return self._connection.execute(sql, values).fetchall()

    def change(self, sql: str, values: tuple[Any, ...]) -> int:
        """Return how many rows a statement changed."""
        return self._connection.execute(sql, values).rowcount

    @contextmanager
    def errors_named(self) -> Iterator[None]:
        """Make `StoreError` of the engine's errors."""
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError("the state store cannot be used", hint=f"{self._path}: {error}") from error

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Make one change of all that is done inside, or none if an error leaves it; `durable`: on the disk, too."""
        with self.errors_named():
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()
