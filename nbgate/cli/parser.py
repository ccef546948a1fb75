"""The commands and flags, and what is said when they are mistyped.

Knows names and types only; every command's work is in its own file, imported when it is called.
"""

import os
from difflib import get_close_matches
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter
from cyclopts.exceptions import CycloptsError, UnusedCliTokensError

from nbgate import __version__
from nbgate.errors import ExitCode, StartError

_COMMANDS = ("user", "status", "reload")
_TLS = Group("TLS", sort_key=2)
_WHERE = Group("Files", sort_key=3)

DataDir = Annotated[str | None, Parameter(group=_WHERE, help="Folder for everything nbgate writes.")]
Config = Annotated[str | None, Parameter(group=_WHERE, help="Configuration file (TOML).")]


def serve(
    *,
    upstream: Annotated[
        str | None, Parameter(help="Notebook server: host:port, http://host:port/base/ or unix:/path.")
    ] = None,
    ip: Annotated[str | None, Parameter(help="Address to listen on; * for all. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, Parameter(help="Port to listen on. Default: 8443.")] = None,
    workers: Annotated[str | None, Parameter(help="Worker processes, or auto. Default: 1.")] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, Parameter(help="Least level of messages on stderr.")
    ] = None,
    allow_open_upstream: Annotated[
        bool | None, Parameter(help="Accept an upstream that asks for no credential of its own.")
    ] = None,
    upstream_token_file: Annotated[str | None, Parameter(help="File (0600) with the notebook server's token.")] = None,
    cert: Annotated[
        str | None,
        Parameter(group=_TLS, help="PEM file with the certificate chain, and the key unless --key is given."),
    ] = None,
    key: Annotated[str | None, Parameter(group=_TLS, help="PEM file with the private key.")] = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> int:
    """Serve: a login, TLS, rules and an audit trail in front of a notebook server on this machine.

    Without --cert a self-signed certificate is made and kept. Make a user first: nbgate user add NAME.
    """
    from nbgate.cli.serve import run_gateway
    from nbgate.config_file import make_source

    flags: dict[str, str | int | bool | None] = {
        "upstream": upstream,
        "ip": ip,
        "port": port,
        "workers": int(workers) if workers and workers.isdecimal() else workers,
        "log_level": log_level,
        "allow_open_upstream": allow_open_upstream,
        "upstream_token_file": upstream_token_file,
        "cert": cert,
        "key": key,
        "data_dir": data_dir,
    }
    return run_gateway(make_source(config or "", flags, os.environ))


_USER_COMMANDS = {
    "add": "Make an account.",
    "list": "Say who has an account.",
    "passwd": "Set a new password; ends the person's sessions.",
    "disable": "Let a person in no more; ends their sessions.",
    "enable": "Let a disabled person in again.",
    "remove": "Remove an account; ends the person's sessions.",
}


def make_app() -> App:
    """Return all commands."""
    app = App(name="nbgate", version=f"nbgate {__version__}", help_format="plaintext")
    app.default(serve)
    user = App(name="user", help="Add, change and remove the accounts of this gateway.")
    app.command(user)
    for name, text in _USER_COMMANDS.items():
        user.command(f"nbgate.cli.user:{name}_user", name=name, help=text)
    app.command(
        "nbgate.cli.status:show_status",
        name="status",
        help="Say what runs, who is confined, how upstream and audit are.",
    )
    app.command("nbgate.cli.reload:reload_gateway", name="reload", help="Test the configuration and put it into force.")
    return app


def run_command(words: list[str]) -> int:
    """Run the command that `words` name; return its exit code.

    Raises:
        StartError: They name none (2).
        NbgateError: The command could not do its work.
    """
    try:
        code = make_app()(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        raise _usage_error(error, words) from None
    return code if isinstance(code, int) else ExitCode.DONE


def _usage_error(error: CycloptsError, words: list[str]) -> StartError:
    if isinstance(error, UnusedCliTokensError):
        return _unused(error, words)
    text, _, meant = str(error).partition(" Did you mean ")
    hint = f"did you mean {meant.partition('?')[0]}?" if meant else "nbgate --help shows what there is"
    return StartError(text[:1].lower() + text[1:].rstrip("."), hint=hint, exit_code=ExitCode.USAGE)


def _unused(error: UnusedCliTokensError, words: list[str]) -> StartError:
    """Never repeats what follows a user's name: it may be a password."""
    if words[:1] == ["user"]:
        return StartError(
            "too many arguments",
            hint="a password is no argument: it is asked for, or read with --password-stdin",
            exit_code=ExitCode.USAGE,
        )
    word = (error.unused_tokens or [""])[0]
    if word in _COMMANDS:
        return StartError(
            f"the command comes before its flags: {word}",
            hint=f"did you mean nbgate {word} ...?",
            exit_code=ExitCode.USAGE,
        )
    close = get_close_matches(word, _COMMANDS, n=1)
    hint = f"did you mean nbgate {close[0]}?" if close else "nbgate --help shows what there is"
    return StartError(f"unknown command: {word}", hint=hint, exit_code=ExitCode.USAGE)
