"""Let people in, or nobody: login links, unlocking, penalties, lockdown; through the running gateway."""

from typing import Annotated
from urllib.parse import quote

from cyclopts import Parameter

from nbgate.cli.gateway import ask_about, user_path
from nbgate.cli.output import print_list
from nbgate.cli.parser import Format, UserName, Where
from nbgate.errors import ExitCode
from nbgate.terminal import say

Lift = Annotated[bool, Parameter(negative=(), help="Let people sign in again.")]


def make_link(name: UserName, /, *, where: Where = Where()) -> int:
    """Make a link that signs a person in, and print it for each address that we have."""
    made = ask_about(where, "POST", f"{user_path(name)}/link")
    say(f"nbgate: whoever opens this within {made['minutes']} minutes is signed in as {made['user']}, once:")
    for link in made["links"]:
        print(link)
    return ExitCode.DONE


def unlock_user(name: UserName, /, *, where: Where = Where()) -> int:
    """Forget the failed logins to an account."""
    done = ask_about(where, "POST", f"{user_path(name)}/unlock")
    say(f"nbgate: user {done['user']}: failed logins forgotten")
    return ExitCode.DONE


def lock_down(*, lift: Lift = False, where: Where = Where()) -> int:
    """End everything and close the login; or open it."""
    if lift:
        ask_about(where, "DELETE", "/lockdown")
        say("nbgate: people can sign in again")
        return ExitCode.DONE
    done = ask_about(where, "POST", "/lockdown")
    say(f"nbgate: nobody can sign in; sessions and tokens ended: {done['ended_sessions']}")
    say("  hint: nbgate lockdown --lift lets people sign in again")
    return ExitCode.DONE


def list_penalties(*, format: Format = "table", where: Where = Where()) -> int:  # noqa: A002 - the flag's name
    """Show which netblocks are refused."""
    penalties = ask_about(where, "GET", "/penalties")["penalties"]
    rows = [(one["netblock"], one["seconds"]) for one in penalties]
    print_list(format, penalties, ("netblock", "seconds left"), rows)
    return ExitCode.DONE


def clear_penalties(
    netblock: Annotated[str | None, Parameter(help="Netblock, or an address in it; without one: all.")] = None,
    /,
    *,
    where: Where = Where(),
) -> int:
    """Lift penalties."""
    query = "" if netblock is None else f"?netblock={quote(netblock, safe='')}"
    cleared = ask_about(where, "DELETE", f"/penalties{query}")["cleared"]
    say(f"nbgate: penalties lifted: {cleared}; what logins had cost there is forgotten")
    return ExitCode.DONE
