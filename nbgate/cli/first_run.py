"""The first account, asked for on the terminal before anything is started.

In a child process: what it needs of the store, the audit and argon2 has no place in the process that becomes the
supervisor. Where there is no terminal nothing is asked: the keeper offers a setup link.
"""

import contextlib
import getpass
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from nbgate.cli.dialogue import has_terminal, is_yes, read_line
from nbgate.config.document import Loaded
from nbgate.errors import ExitCode, InputRefused, NbgateError, StartError
from nbgate.terminal import print_error, say


def ask_for_first_user(loaded: Loaded) -> int:
    """Have the first account made, where there is none and somebody sits at a terminal.

    Forks: only for a process with one thread.

    Returns:
        0 to go on, else the exit code to end with: the person wants no account, or it could not be made.
    """
    if not has_terminal():
        return ExitCode.DONE
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code: int = ExitCode.FAILURE
        signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may have had it ignored
        try:
            code = _run_apart(lambda: first_user(loaded))
        except Exception:  # noqa: BLE001 - the edge of this process: nobody else would say what went wrong
            traceback.print_exc()
        finally:
            os._exit(code)  # nothing of the parent's may run here: no handler, no buffer
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the child too, which puts the terminal in order
    try:
        _, status = os.waitpid(child, 0)
    finally:
        signal.signal(signal.SIGINT, former)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else ExitCode.FAILURE


def _run_apart(call: Callable[[], None]) -> int:
    try:
        call()
    except NbgateError as error:
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        say("")
        return ExitCode.INTERRUPTED
    return ExitCode.DONE


def first_user(loaded: Loaded) -> None:
    """Ask for name and password, make the account, and offer a second factor for it.

    Nobody is asked where there is an account, or a gateway runs that can be asked.

    Raises:
        StartError: The person ended the dialogue.
        NbgateError: The account could not be made.
    """
    import asyncio

    from nbgate.cli.control import maybe_connect
    from nbgate.stores.sqlite import may_hold_users

    folder = Path(loaded.config.data_dir)
    if may_hold_users(folder / "state.db"):
        return
    running = maybe_connect(folder)
    if running is not None:
        running.close()
        return
    say("nbgate: nobody can sign in yet: make the first account")
    try:
        name = _ask_name()
        password = _ask_password(name)
    except EOFError:
        raise StartError(
            "no account was made, and nobody could sign in without one",
            hint="start again, or make it with nbgate user add NAME",
        ) from None
    asyncio.run(_make(loaded, name, password))
    say(f"nbgate: user {name}: added")
    _offer_second_factor(loaded, name)


def _ask_name() -> str:
    from nbgate.model.account import parse_user_name

    try:
        usual = parse_user_name(getpass.getuser())
    except (InputRefused, KeyError, OSError):
        usual = ""
    while True:
        typed = read_line(f"User name [{usual}]: " if usual else "User name: ").strip() or usual
        try:
            return parse_user_name(typed)
        except InputRefused as error:
            print_error(error)


def _ask_password(name: str) -> str:
    from nbgate.crypto.passwords import MIN_PASSWORD_BYTES, judge_new_password
    from nbgate.crypto.strength import estimate_strength

    while True:
        password = getpass.getpass(f"Password, at least {MIN_PASSWORD_BYTES} characters: ")
        fault = judge_new_password(password)
        if fault is not None:
            say(f"nbgate: this password cannot be set\n  hint: {fault.value}")
            continue
        if getpass.getpass("Once more: ") != password:
            say("nbgate: the two passwords differ\n  hint: type both once more")
            continue
        strength = estimate_strength(password, name)
        say(f"nbgate: strength: {strength.word}; whoever steals its hash would guess for: {strength.time}")
        if not strength.is_weak or is_yes("Use this weak password all the same? [y/N] "):
            return password


async def _make(loaded: Loaded, name: str, password: str) -> None:
    from nbgate.keeper.offline import offline_accounts
    from nbgate.web.control import actor_of

    async with offline_accounts(loaded.config) as accounts:
        await accounts.add(name, password, actor_of(os.geteuid()))


def _offer_second_factor(loaded: Loaded, name: str) -> None:
    """Set it up for who wants it; who gives up goes on without."""
    import asyncio

    try:
        if not is_yes("Add a code from an app on your phone as a second step? [y/N] "):
            return
    except EOFError:
        return
    try:
        asyncio.run(_enroll(loaded, name))
    except StartError as error:
        print_error(error)
        say(f"  hint: the password alone opens the account for now; nbgate totp enroll {name} adds a code later")


async def _enroll(loaded: Loaded, name: str) -> None:
    from nbgate.cli.enrolment import print_codes, show_secret, typed_codes
    from nbgate.errors import CredentialRejected
    from nbgate.keeper.offline import offline_factors
    from nbgate.web.control import actor_of

    async with offline_factors(loaded.config) as factors:
        enrolment = factors.begin_totp(name, "" if loaded.config.hosts else socket.gethostname())
        show_secret(enrolment.secret, enrolment.uri)
        typed, codes = typed_codes(), tuple[str, ...]()
        while not codes:
            with contextlib.suppress(CredentialRejected):
                codes = await factors.confirm_totp(name, next(typed), actor_of(os.geteuid()))
    say(f"nbgate: user {name}: a code is asked for beside the password")
    print_codes(codes)
