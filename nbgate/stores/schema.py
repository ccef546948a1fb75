"""The tables of the SQLite file, and how a file of an older schema becomes one of this.

A file is of one schema or of the other, never between: each way is one transaction. Reads no row into values.
"""

import sqlite3
from typing import Final

APPLICATION_ID: Final = 0x6E626774  # "nbgt": tells our files from other SQLite files
SCHEMA_VERSION: Final = 3
OLDEST_VERSION: Final = 1  # that `migrate` knows

_ROUTES: Final = "CREATE TABLE routes (at TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT"
_STAMP: Final = f"PRAGMA user_version = {SCHEMA_VERSION}"
_TABLES: Final = (
    """
CREATE TABLE users (
    name TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    created_unix REAL NOT NULL,
    disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    cred_epoch INTEGER NOT NULL CHECK (cred_epoch >= 1),
    role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer', 'auditor')),
    totp TEXT NOT NULL,
    totp_step INTEGER NOT NULL CHECK (totp_step >= 0),
    recovery BLOB NOT NULL CHECK (length(recovery) % 32 = 0)
) STRICT, WITHOUT ROWID
""",
    """
CREATE TABLE sessions (
    id BLOB PRIMARY KEY CHECK (length(id) = 32),
    user TEXT NOT NULL REFERENCES users (name),
    created_unix REAL NOT NULL,
    absolute_unix REAL NOT NULL,
    factors TEXT NOT NULL,
    generation INTEGER NOT NULL,
    key BLOB NOT NULL CHECK (length(key) IN (0, 32)),
    former BLOB NOT NULL CHECK (length(former) IN (0, 32)),
    rotate_unix REAL NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer', 'auditor')),
    scope TEXT NOT NULL CHECK (scope IN ('login', 'read', 'execute', 'routes-admin', 'all')),
    routes TEXT NOT NULL,
    last_seen_unix REAL NOT NULL,
    cred_epoch INTEGER NOT NULL,
    retired BLOB NOT NULL CHECK (length(retired) % 32 = 0),
    label TEXT NOT NULL,
    client TEXT NOT NULL
) STRICT, WITHOUT ROWID
""",
    "CREATE INDEX sessions_of_user ON sessions (user)",
    "CREATE TABLE small_values (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT",
    _ROUTES,
    _STAMP,
)

# The account created first becomes the owner: nbgate made it on the first start, for whoever installed it, and somebody
# must be able to use the admin page. That holds even if it is disabled: to give the role to the next one would make
# somebody an owner whom nobody chose; `nbgate user role` does, by whoever owns this file.
# A login takes its account's role and is due for another secret at once: the one it has was never changed.
_FROM_1: Final = (
    "DROP INDEX sessions_of_user",
    "ALTER TABLE users RENAME TO users_1",
    "ALTER TABLE sessions RENAME TO sessions_1",
    *_TABLES,
    """
INSERT INTO users
SELECT name, password_hash, created_unix, disabled, cred_epoch,
    iif(name = (SELECT name FROM users_1 ORDER BY created_unix, name LIMIT 1), 'owner', 'editor'), '', 0, x''
FROM users_1
""",
    """
INSERT INTO sessions
SELECT id, user, sessions_1.created_unix, absolute_unix, factors, generation, x'', x'', sessions_1.created_unix, role,
    'login', '[]', last_seen_unix, sessions_1.cred_epoch, x'', '', ''
FROM sessions_1 JOIN users ON users.name = sessions_1.user
""",
    "DROP TABLE sessions_1",
    "DROP TABLE users_1",
)
_FROM_2: Final = (_ROUTES, _STAMP)


def make(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file."""
    _run(connection, 0, (f"PRAGMA application_id = {APPLICATION_ID}", *_TABLES))


def migrate(connection: sqlite3.Connection) -> None:
    """Make this schema of any that is known, in place; what is of this schema already is not written to."""
    version = version_of(connection)
    if version != SCHEMA_VERSION:
        _run(connection, version, _FROM_1 if version == OLDEST_VERSION else _FROM_2)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the number of the file's schema."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _run(connection: sqlite3.Connection, version: int, statements: tuple[str, ...]) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version_of(connection) == version:  # else another process was faster
            for statement in statements:
                connection.execute(statement)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
