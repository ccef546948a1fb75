"""`nbgate user ...`: accounts, through the running gateway, else straight in the store."""

import os
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from nbgate.cli.gateway import ask_or_do, load_for, user_path
from nbgate.cli.output import print_list
from nbgate.cli.parser import Format, Where
from nbgate.cli.passwords import read_hash, read_password
from nbgate.config.document import Loaded
from nbgate.errors import ExitCode, StartError
from nbgate.keeper.users import Accounts, Changed
from nbgate.model.session import Role
from nbgate.terminal import say

Name = Annotated[str, Parameter(help="User name: letters, digits, dot, underscore, hyphen, @.")]
PasswordStdin = Annotated[bool, Parameter(negative=(), help="Read the password from standard input.")]
HashStdin = Annotated[
    bool,
    Parameter(negative=(), help="Read the password's argon2id hash from standard input: from nbgate import passwd."),
]
RoleName = Literal["owner", "editor", "viewer", "auditor"]
RoleFlag = Annotated[
    RoleName | None,
    Parameter(name="--role", help="What the person may do. Default: owner for the first account, editor after it."),
]
Kind = Literal["password", "password_hash", "imported_hash"]
Offline = Callable[[Accounts], Awaitable[Any]]


def add_user(
    name: Name,
    /,
    *,
    role: RoleFlag = None,
    password_stdin: PasswordStdin = False,
    hash_stdin: HashStdin = False,
    where: Where = Where(),
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
        return add_with(loaded, name, role, "password_hash", read_hash())
    return add_with(loaded, name, role, "password", read_password(from_stdin=password_stdin))


def add_with(loaded: Loaded, name: str, role: RoleName | None, kind: Kind, value: str) -> int:
    """Make an account with a password or a hash, and say so.

    Args:
        loaded: Says which gateway.
        name: As it was typed.
        role: None leaves it to the accounts.
        kind: What `value` is: `imported_hash`, one that a notebook server had.
        value: As it was read.
    """
    body = {"name": name, kind: value} | ({"role": role} if role else {})

    async def add(accounts: Accounts) -> Changed:
        makes = {
            "password": accounts.add,
            "password_hash": accounts.add_prepared,
            "imported_hash": accounts.import_hash,
        }
        return await makes[kind](name, value, _actor(), role=None if role is None else Role(role))

    return _change(loaded, "POST", "/users", body, add)


def role_user(
    name: Name,
    role: Annotated[RoleName, Parameter(help="What the person may do from now on.")],
    /,
    *,
    where: Where = Where(),
) -> int:
    """Give a person another role."""
    loaded = load_for(where)
    path = f"{user_path(name)}/role"
    return _change(loaded, "POST", path, {"role": role}, lambda accounts: accounts.set_role(name, Role(role), _actor()))


def passwd_user(name: Name, /, *, password_stdin: PasswordStdin = False, where: Where = Where()) -> int:
    """Set a new password, and end the person's sessions."""
    loaded = load_for(where)
    password = read_password(from_stdin=password_stdin)
    path = f"{user_path(name)}/passwd"
    return _change(
        loaded, "POST", path, {"password": password}, lambda accounts: accounts.set_password(name, password, _actor())
    )


def disable_user(name: Name, /, *, where: Where = Where()) -> int:
    """Bar a person from logging in, and end their sessions."""
    loaded = load_for(where)
    return _change(
        loaded, "POST", f"{user_path(name)}/disable", None, lambda accounts: accounts.disable(name, _actor())
    )


def enable_user(name: Name, /, *, where: Where = Where()) -> int:
    """Let a person log in again."""
    loaded = load_for(where)
    return _change(loaded, "POST", f"{user_path(name)}/enable", None, lambda accounts: accounts.enable(name, _actor()))


def remove_user(name: Name, /, *, where: Where = Where()) -> int:
    """Remove an account, and end its sessions."""
    loaded = load_for(where)
    return _change(loaded, "DELETE", user_path(name), None, lambda accounts: accounts.remove(name, _actor()))


def list_user(*, format: Format = "table", where: Where = Where()) -> int:  # noqa: A002 - the flag's name
    """Show all accounts."""
    loaded = load_for(where)
    users = _ask(loaded, "GET", "/users", None, _listed)["users"]
    rows = [
        (
            user["name"],
            user["role"],
            "disabled" if user["disabled"] else "active",
            " + ".join(user["factors"]),
            user["created"],
        )
        for user in users
    ]
    print_list(format, users, ("name", "role", "state", "factors", "created"), rows)
    return 0


async def _listed(accounts: Accounts) -> dict[str, Any]:
    from nbgate.web.control_values import user_value

    return {"users": [user_value(user) for user in await accounts.all()]}


def _change(loaded: Loaded, method: str, path: str, body: dict[str, str] | None, offline: Offline) -> int:
    async def change(accounts: Accounts) -> dict[str, Any]:
        from nbgate.web.control_values import changed_value

        return changed_value(await offline(accounts))

    done = _ask(loaded, method, path, body, change)
    ended = f"; sessions ended: {done['ended_sessions']}" if done["ended_sessions"] else ""
    say(f"nbgate: user {done['user']}: {done['message']}{ended}")
    return 0


def _ask(loaded: Loaded, method: str, path: str, body: dict[str, str] | None, offline: Offline) -> Any:
    async def do() -> Any:
        from nbgate.keeper.offline import offline_accounts

        async with offline_accounts(loaded.config) as accounts:
            return await offline(accounts)

    return ask_or_do(loaded, method, path, body, do)


def _actor() -> str:
    from nbgate.web.control import actor_of

    return actor_of(os.geteuid())
