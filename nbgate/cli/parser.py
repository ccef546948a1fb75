"""The commands and flags, and what is said when they are mistyped.

Knows names and types only; every command's work is in its own file, imported when it is called. A flag that sets an
option says of it what the schema says; a flag's value is text that `nbgate.config` judges, as it does a variable's.
"""

import inspect
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Group, Parameter
from cyclopts.exceptions import CycloptsError

from nbgate import __version__
from nbgate.cli.commands import COMMANDS
from nbgate.cli.help import maybe_help, render
from nbgate.cli.mistakes import usage_error
from nbgate.config.options import help_of
from nbgate.errors import ExitCode

if TYPE_CHECKING:
    from nbgate.config.document import Source

_UPSTREAM = Group("Upstream", sort_key=1)
_LISTENING = Group("Listening", sort_key=2)
_TLS = Group("TLS", sort_key=3)
_ACCESS = Group("Access", sort_key=4)
_FILES = Group("Files", sort_key=5)
_OTHER = Group("Other", sort_key=6)


def _flag(option: str, group: Group, metavar: str | None = None) -> Parameter:
    return Parameter(group=group, help=help_of(option), negative=(), metavar=metavar)


def _switch(option: str, group: Group) -> Parameter:
    return Parameter(group=group, help=help_of(option))


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Where:
    """The flags of every command: which gateway is meant."""

    config: Annotated[
        Path | None,
        Parameter(group=_FILES, metavar="FILE", help="Configuration file (TOML), instead of the default one."),
    ] = None
    profile: Annotated[
        str | None,
        Parameter(group=_FILES, metavar="NAME", help="Profile: one more file, and a data folder of its own."),
    ] = None
    data_dir: Annotated[Path | None, _flag("data_dir", _FILES, "FOLDER")] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class UpstreamFlags:
    """The flags that say which notebook servers are guarded; `nbgate launch` starts its own and has none of them."""

    upstream: Annotated[list[str] | None, _flag("upstream", _UPSTREAM, "[AT=]ADDRESS")] = None
    upstream_token_file: Annotated[Path | None, _flag("upstream_token_file", _UPSTREAM, "FILE")] = None
    upstream_password_file: Annotated[Path | None, _flag("upstream_password_file", _UPSTREAM, "FILE")] = None
    upstream_user: Annotated[str | None, _flag("upstream_user", _UPSTREAM, "NAME")] = None
    upstream_ca_file: Annotated[Path | None, _flag("upstream_ca_file", _UPSTREAM, "FILE")] = None
    upstream_pin: Annotated[str | None, _flag("upstream_pin", _UPSTREAM, "SHA256")] = None
    allow_open_upstream: Annotated[bool | None, _flag("allow_open_upstream", _UPSTREAM)] = None
    allow_remote_upstream: Annotated[bool | None, _flag("allow_remote_upstream", _UPSTREAM)] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ServeFlags:
    """The flags of `nbgate` and of `nbgate launch`."""

    ip: Annotated[str | None, _flag("ip", _LISTENING, "ADDRESS")] = None
    port: Annotated[str | None, _flag("port", _LISTENING)] = None
    port_retries: Annotated[str | None, _flag("port_retries", _LISTENING, "N")] = None
    http_port: Annotated[str | None, _flag("http_port", _LISTENING, "PORT")] = None
    base_url: Annotated[str | None, _flag("base_url", _LISTENING, "PATH")] = None
    hosts: Annotated[list[str] | None, _flag("hosts", _LISTENING, "NAME")] = None
    trusted_proxies: Annotated[list[str] | None, _flag("trusted_proxies", _LISTENING, "NETWORK")] = None
    proxy_protocol: Annotated[bool | None, _flag("proxy_protocol", _LISTENING)] = None
    workers: Annotated[str | None, _flag("workers", _LISTENING, "N|auto")] = None
    cert: Annotated[Path | None, _flag("cert", _TLS, "FILE")] = None
    key: Annotated[Path | None, _flag("key", _TLS, "FILE")] = None
    tls_profile: Annotated[Literal["intermediate", "modern"] | None, _flag("tls_profile", _TLS)] = None
    hsts: Annotated[bool | None, _switch("hsts", _TLS)] = None
    server_proxy_ports: Annotated[list[str] | None, _flag("server_proxy_ports", _UPSTREAM, "PORT")] = None
    allow: Annotated[list[str] | None, _flag("allow", _ACCESS, "PREFIX=NAMES")] = None
    require_second_factor: Annotated[list[str] | None, _flag("require_second_factor", _ACCESS, "ROLE")] = None
    contact: Annotated[str | None, _flag("contact", _ACCESS, "TEXT")] = None
    disabled_rules: Annotated[list[str] | None, _flag("disabled_rules", _OTHER, "RULE")] = None
    log_level: Annotated[Literal["debug", "info", "warning", "error"] | None, _flag("log_level", _OTHER)] = None
    browser: Annotated[bool | None, _switch("browser", _OTHER)] = None
    banner: Annotated[bool | None, _switch("banner", _OTHER)] = None


UserName = Annotated[str, Parameter(name="NAME", help="User name.")]
Format = Annotated[Literal["table", "json"], Parameter(help="For people, or for programs.")]
Flags = dict[str, str | int | bool | list[str]]


def flags_of(*parts: UpstreamFlags | ServeFlags | Where) -> Flags:
    """Return what was given, by the names of the flags in Python; `config` and `profile` are no options."""
    given = {name: value for part in parts for name, value in asdict(part).items() if value is not None}
    return {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}


def words_of(*parts: UpstreamFlags | ServeFlags | Where) -> list[str]:
    """Return the words that say the same on the command line of another nbgate."""
    words = []
    for name, value in flags_of(*parts).items():
        flag = name.replace("_", "-")
        match value:
            case bool():
                words.append(f"--{flag}" if value else f"--no-{flag}")
            case list():
                words += [f"--{flag}={one}" for one in value]
            case _:
                words.append(f"--{flag}={value}")
    return words


def source_of(where: Where, flags: Flags) -> "Source":
    """Return where the configuration of a command comes from: its flags, this environment, the current folder."""
    from nbgate.config_file import make_source

    config = None if where.config is None else str(where.config)
    if where.data_dir is not None:
        flags = {**flags, "data_dir": str(where.data_dir)}
    return make_source(config, where.profile, flags, os.environ)


def serve(
    *, upstream: UpstreamFlags = UpstreamFlags(), flags: ServeFlags = ServeFlags(), where: Where = Where()
) -> int:
    """Put a login, TLS, rules and an audit trail in front of the notebook servers of this machine.

    Without --upstream the running notebook servers of this user are found, and those that start later. Without --cert
    a certificate is made and kept.

      nbgate                            guard what runs
      nbgate launch                     start JupyterLab and guard it
      nbgate --upstream localhost:8888 --cert mycert.pem --ip '*'
      nbgate --upstream /lab1/=localhost:8888 --upstream /lab2/=localhost:8889
    """
    from nbgate.cli.serve import run_gateway

    return run_gateway(source_of(where, flags_of(upstream, flags)))


def make_app() -> App:
    """Return all commands."""
    app = App(name="nbgate", version=f"nbgate {__version__}", help_flags=(), help=inspect.getdoc(serve))
    app.default(serve)
    apps = {"": app}
    for words, text, function, _ in COMMANDS:
        parent, _, name = words.rpartition(" ")
        if function:
            apps[parent].command(f"nbgate.cli.{function}", name=name, help=text)
        else:
            apps[words] = App(name=name, help=text)
            apps[parent].command(apps[words])
    return app


def run_command(words: list[str]) -> int:
    """Run the command that `words` name; return its exit code.

    Raises:
        StartError: They name none (2).
        NbgateError: The command could not do its work.
    """
    app = make_app()
    if (page := maybe_help(app, words)) is not None:
        print(render(page, shutil.get_terminal_size().columns))
        return ExitCode.DONE
    try:
        code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        raise usage_error(error, words) from None
    return code if isinstance(code, int) else ExitCode.DONE
