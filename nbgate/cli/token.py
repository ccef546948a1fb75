"""`nbgate token ...`: what scripts and editors come in with, through the running gateway."""

from typing import Annotated, Literal
from urllib.parse import quote

from cyclopts import Parameter

from nbgate.cli.gateway import ask_about, query_of, user_path
from nbgate.cli.output import print_list
from nbgate.cli.parser import Format, UserName, Where
from nbgate.crypto.api_tokens import PREFIX
from nbgate.errors import ExitCode, StartError
from nbgate.terminal import say

TokenName = Annotated[str, Parameter(name="--name", metavar="LABEL", help="What the token is called in lists.")]
ScopeFlag = Annotated[
    Literal["read", "execute", "routes-admin", "all"],
    Parameter(help="What it is good for: to read, all of notebook servers, the routes API, or both of these."),
]
Routes = Annotated[
    list[str] | None,
    Parameter(
        name="--route", metavar="AT", negative=(), help="Notebook server it is good for: /prefix/ or host/prefix/."
    ),
]
Days = Annotated[int, Parameter(metavar="N", help="How many days it is good for, at most 90.")]


def add_token(
    user: UserName,
    /,
    *,
    name: TokenName,
    scope: ScopeFlag = "execute",
    routes: Routes = None,
    days: Days = 90,
    where: Where = Where(),
) -> int:
    """Make a token, and print it."""
    body = {"name": name, "scope": scope, "routes": " ".join(routes or ()), "days": str(days)}
    made = ask_about(where, "POST", f"{user_path(user)}/tokens", body)
    say(f"nbgate: token {made['name']} of {made['user']}, {made['scope']}, until {made['ends']}: not shown again")
    print(made["token"], flush=True)
    for place in made["unmounted"]:
        say(f"nbgate: there is no notebook server at {place} now; the token opens one that is mounted there later")
    say(f"  hint: send it as Authorization: token ...; nbgate token revoke {made['id']} ends it")
    return ExitCode.DONE


def list_tokens(
    name: Annotated[str | None, Parameter(help="User name; without one: of everybody.")] = None,
    /,
    *,
    format: Format = "table",  # noqa: A002 - the flag's name
    where: Where = Where(),
) -> int:
    """Show the tokens that are good."""
    tokens = ask_about(where, "GET", f"/tokens{query_of(name)}")["tokens"]
    heads = ("id", "user", "name", "scope", "routes", "made", "last used", "ends")
    rows = [
        (
            *(token[key] for key in ("id", "user", "name", "scope")),
            " ".join(token["routes"]) or "all",
            *(token[key] for key in ("created", "last_activity", "ends")),
        )
        for token in tokens
    ]
    print_list(format, tokens, heads, rows)
    return ExitCode.DONE


def revoke_token(
    label: Annotated[str, Parameter(name="ID", help="The token's ID, as nbgate token list shows it.")],
    /,
    *,
    where: Where = Where(),
) -> int:
    """End a token."""
    if label.startswith(PREFIX):  # not repeated: it is the secret itself
        raise StartError(
            "this is a token, not its ID", hint="nbgate token list shows the IDs", exit_code=ExitCode.USAGE
        )
    done = ask_about(where, "DELETE", f"/tokens/{quote(label, safe='')}")
    say(f"nbgate: token {done['name']} of {done['user']}: ended")
    return ExitCode.DONE
