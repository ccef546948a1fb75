"""`nbgate user ...`: accounts, through the running gateway, else straight in the store."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import Parameter

from nbgate.cli.control import ask, maybe_connect
from nbgate.cli.gateway import load_for
from nbgate.cli.output import print_json, print_table
from nbgate.cli.parser import Format, Where
from nbgate.cli.passwords import read_hash, read_password
from nbgate.config.document import Loaded
from nbgate.errors import ExitCode, StartError
from nbgate.keeper.users import Accounts, Changed
from nbgate.terminal import say

Name = Annotated[str, Parameter(help="User name: letters, digits, dot, underscore, hyphen, @.")]
PasswordStdin = Annotated[bool, Parameter(negative=(), help="Read the password from standard input.")]
HashStdin = Annotated[
    bool,
    Parameter(negative=(), help="Read the password's argon2id hash from standard input: from nbgate import passwd."),
]
Offline = Callable[[Accounts], Awaitable[Any]]


def add_user(
    name: Name, /, *, password_stdin: PasswordStdin = False, hash_stdin: HashStdin = False, where: Where = Where()
) -> int:
    """Add an account."""
    loaded = load_for(where)
    if hash_stdin:
        if password_stdin:
            raise StartError(
                "standard input is either a password or its hash",
                hint="--password-stdin or --hash-stdin, not both",
                exit_code=ExitCode.USAGE,
            )
        prepared = read_hash()
        body = {"name": name, "password_hash": prepared}
        return _change(loaded, "POST", "/users", body, lambda accounts: accounts.add_prepared(name, prepared, _actor()))
    password = read_password(from_stdin=password_stdin)
    body = {"name": name, "password": password}
    return _change(loaded, "POST", "/users", body, lambda accounts: accounts.add(name, password, _actor()))


def passwd_user(name: Name, /, *, password_stdin: PasswordStdin = False, where: Where = Where()) -> int:
    """Set a new password, and end the person's sessions."""
    loaded = load_for(where)
    password = read_password(from_stdin=password_stdin)
    path = f"{_path(name)}/passwd"
    return _change(
        loaded, "POST", path, {"password": password}, lambda accounts: accounts.set_password(name, password, _actor())
    )


def disable_user(name: Name, /, *, where: Where = Where()) -> int:
    """Bar a person from logging in, and end their sessions."""
    loaded = load_for(where)
    return _change(loaded, "POST", f"{_path(name)}/disable", None, lambda accounts: accounts.disable(name, _actor()))


def enable_user(name: Name, /, *, where: Where = Where()) -> int:
    """Let a person log in again."""
    loaded = load_for(where)
    return _change(loaded, "POST", f"{_path(name)}/enable", None, lambda accounts: accounts.enable(name, _actor()))


def remove_user(name: Name, /, *, where: Where = Where()) -> int:
    """Remove an account, and end its sessions."""
    loaded = load_for(where)
    return _change(loaded, "DELETE", _path(name), None, lambda accounts: accounts.remove(name, _actor()))


def list_user(*, format: Format = "table", where: Where = Where()) -> int:  # noqa: A002 - the flag's name
    """Show all accounts."""
    loaded = load_for(where)
    users = _ask(loaded, "GET", "/users", None, _listed)["users"]
    if format == "json":
        print_json(users)
    else:
        rows = [(user["name"], "disabled" if user["disabled"] else "active", user["created"]) for user in users]
        print_table(("name", "state", "created"), rows)
    return 0


async def _listed(accounts: Accounts) -> dict[str, Any]:
    from nbgate.audit.events import timestamp

    users = await accounts.all()
    return {
        "users": [
            {"name": user.name, "disabled": user.disabled, "created": timestamp(user.created_unix)} for user in users
        ]
    }


def _change(loaded: Loaded, method: str, path: str, body: dict[str, str] | None, offline: Offline) -> int:
    async def change(accounts: Accounts) -> dict[str, Any]:
        changed: Changed = await offline(accounts)
        return {"user": changed.user, "message": changed.message, "ended_sessions": changed.ended_sessions}

    done = _ask(loaded, method, path, body, change)
    ended = f"; sessions ended: {done['ended_sessions']}" if done["ended_sessions"] else ""
    say(f"nbgate: user {done['user']}: {done['message']}{ended}")
    return 0


def _ask(loaded: Loaded, method: str, path: str, body: dict[str, str] | None, offline: Offline) -> Any:
    """Ask the gateway; where none runs, work on the store; where one has just started, ask it after all."""
    folder = Path(loaded.config.data_dir)
    sock = maybe_connect(folder)
    if sock is None:
        try:
            return asyncio.run(_offline(loaded, offline))
        except StartError as error:
            if error.exit_code != ExitCode.TRY_AGAIN or (sock := maybe_connect(folder)) is None:
                raise
    return ask(folder, sock, method, path, body)


async def _offline(loaded: Loaded, call: Offline) -> Any:
    from nbgate.keeper.offline import offline_accounts

    async with offline_accounts(Path(loaded.config.data_dir), loaded.config.login) as accounts:
        return await call(accounts)


def _path(name: str) -> str:
    return f"/users/{quote(name, safe='')}"


def _actor() -> str:
    from nbgate.web.control import actor_of

    return actor_of(os.geteuid())
