"""`nbgate totp ...`: second factors, through the running gateway."""

from typing import Annotated

from cyclopts import Parameter

from nbgate.cli.dialogue import require_terminal
from nbgate.cli.enrolment import print_codes, show_secret, typed_codes
from nbgate.cli.gateway import ask_about, user_path
from nbgate.cli.parser import UserName, Where
from nbgate.errors import ExitCode
from nbgate.terminal import say

Alone = Annotated[
    bool,
    Parameter(negative=(), help="From then on the code alone opens the account: its password is removed."),
]


def enroll_totp(name: UserName, /, *, alone: Alone = False, where: Where = Where()) -> int:
    """Set up a second factor."""
    require_terminal(
        "show a QR code on", "type it on one; or the person sets it up by themselves, on their account page"
    )
    path = f"{user_path(name)}/totp"
    begun = ask_about(where, "POST", path)
    show_secret(begun["secret"], begun["uri"])
    wanted = {"alone": "yes" if alone else "no"}
    answers = (ask_about(where, "POST", f"{path}/confirm", {"code": code, **wanted}) for code in typed_codes())
    done = next(answer for answer in answers if answer["accepted"])
    opens = "a code alone opens the account" if alone else "a code is asked for beside the password"
    say(f"nbgate: user {done['user']}: {opens}")
    print_codes(done["codes"])
    return ExitCode.DONE


def remove_totp(name: UserName, /, *, where: Where = Where()) -> int:
    """Take a second factor away."""
    done = ask_about(where, "DELETE", f"{user_path(name)}/totp")
    say(f"nbgate: user {done['user']}: no second factor any more")
    return ExitCode.DONE


def renew_codes(name: UserName, /, *, where: Where = Where()) -> int:
    """Make new recovery codes."""
    done = ask_about(where, "POST", f"{user_path(name)}/codes")
    say(f"nbgate: user {done['user']}: new recovery codes, and those before are good no more")
    print_codes(done["codes"])
    return ExitCode.DONE
