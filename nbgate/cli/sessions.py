"""`nbgate sessions ...`: who is signed in, and the end of it; through the running gateway."""

from typing import Annotated
from urllib.parse import quote

from cyclopts import Parameter

from nbgate.cli.gateway import ask_about, query_of, user_path
from nbgate.cli.output import print_list
from nbgate.cli.parser import Format, Where
from nbgate.errors import ExitCode, StartError
from nbgate.terminal import say


def list_sessions(
    name: Annotated[str | None, Parameter(help="User name; without one: of everybody.")] = None,
    /,
    *,
    format: Format = "table",  # noqa: A002 - the flag's name
    where: Where = Where(),
) -> int:
    """Show the sessions there are."""
    sessions = ask_about(where, "GET", f"/sessions{query_of(name)}")["sessions"]
    heads = ("id", "user", "role", "browser", "address", "signed in", "last activity", "by", "open")
    rows = [
        (
            *(session[key] for key in ("id", "user", "role", "browser", "address", "created", "last_activity")),
            " + ".join(session["factors"]),
            session["channels"],
        )
        for session in sessions
    ]
    print_list(format, sessions, heads, rows)
    return ExitCode.DONE


def revoke(
    label: Annotated[
        str | None, Parameter(name="ID", help="The session's ID, as nbgate sessions list shows it.")
    ] = None,
    /,
    *,
    user: Annotated[str | None, Parameter(metavar="NAME", help="All sessions of this person; tokens stay.")] = None,
    where: Where = Where(),
) -> int:
    """End one session, or all of a person's."""
    if (label is None) == (user is None):
        raise StartError(
            "which session is meant" if label is None else "a session and a person are named",
            hint="nbgate sessions revoke ID, or --user NAME for all of a person's",
            exit_code=ExitCode.USAGE,
        )
    if user is not None:
        done = ask_about(where, "DELETE", f"{user_path(user)}/sessions")
        say(f"nbgate: user {done['user']}: sessions ended: {done['ended_sessions']}")
    else:
        done = ask_about(where, "DELETE", f"/sessions/{quote(str(label), safe='')}")
        say(f"nbgate: session {done['id']} of {done['user']}: ended")
    return ExitCode.DONE
