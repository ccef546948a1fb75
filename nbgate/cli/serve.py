"""`nbgate`: check what can be checked here, bind, and become the supervisor.

Makes no file and reads no key: the keeper does, as a process of its own.
"""

import contextlib
import os
import random
import resource
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

import nbgate
from nbgate.cli.browser import open_browser, wants_browser
from nbgate.cli.first_run import ask_for_first_user
from nbgate.config.document import DEFAULT, Loaded, Source
from nbgate.config.options import flag_of
from nbgate.config_file import load_config
from nbgate.edge.confine import own_folders
from nbgate.errors import ExitCode, StartError
from nbgate.secrecy import keep_secrets
from nbgate.stderr import never_wait
from nbgate.supervisor.family import Plan
from nbgate.supervisor.loop import Supervisor
from nbgate.supervisor.notify import Notifier
from nbgate.supervisor.sockets import bind_sockets, close_all, is_loopback
from nbgate.terminal import say

MAX_OPEN_FILES = 1 << 18
MAX_PORT = 65535
NOTIFY_SOCKET = "NOTIFY_SOCKET"
# What Python, OpenSSL, the C library with what is loaded into it, the locale and the search for notebook servers read.
_NEEDED = frozenset({
    "HOME", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "OPENSSL_CONF", "OPENSSL_MODULES", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ", "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
})  # fmt: skip
_NEEDED_PREFIXES = ("FAKETIME", "LC_", "MALLOC_", "PYTHON")
_OF_THE_SUPERVISOR = (NOTIFY_SOCKET, "WATCHDOG_PID", "WATCHDOG_USEC")


def run_gateway(source: Source) -> int:
    """Serve until told to end; return the exit code.

    Raises:
        ConfigError: The configuration is wrong.
        StartError: The address cannot be listened on, or the data folder is where workers may read.
    """
    loaded = load_config(source)
    require_apart(Path(loaded.config.data_dir))
    prepare_process()
    sockets = bind(loaded)
    code = ask_for_first_user(loaded)
    if code != ExitCode.DONE:
        return code
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    has_browser = wants_browser(loaded.config.browser, os.environ, is_terminal=is_terminal)
    never_wait()
    return Supervisor(
        make_plan(source, loaded),
        sockets,
        say=say,
        notify=Notifier(os.environ.get(NOTIFY_SOCKET, "")),
        on_listening=open_browser if has_browser else lambda _url: None,
    ).run()


def bind(loaded: Loaded) -> list[socket.socket]:
    """Return the bound sockets to listen on, those of plain HTTP last.

    Where nobody chose the port and only this machine is served, another one does as well; anywhere else an occupied
    port is an error: a gateway that moves silently leaves its port to whoever took it.

    Raises:
        StartError: The address is none of ours, or no port is free.
    """
    config = loaded.config
    is_typed = loaded.origins["ip"] in {DEFAULT, flag_of("ip")}
    mistyped = ExitCode.USAGE if is_typed else ExitCode.CONFIGURATION
    may_move = loaded.origins["port"] == DEFAULT and is_loopback(config.ip)
    plain = bind_sockets(config.ip, config.http_port, mistyped=mistyped, flag="--http-port") if config.http_port else []
    ports = ports_to_try(config.port, config.port_retries if may_move else 0, random.randint)
    port = next(ports)
    while True:
        try:
            return bind_sockets(config.ip, port, mistyped=mistyped) + plain
        except StartError as error:
            following = next(ports, None)
            if error.exit_code != ExitCode.TRY_AGAIN or following is None:
                close_all(plain)
                raise
            say(f"nbgate: port {port} is in use, trying {following}")
            port = following


def ports_to_try(first: int, retries: int, randint: Callable[[int, int], int]) -> Iterator[int]:
    """Give the ports that notebook servers try too: five in a row, then random ones not far away.

    Source: `random_ports` of jupyter_server.
    """
    count = retries + 1
    yield from range(first, min(first + min(5, count), MAX_PORT + 1))
    for _ in range(count - 5):
        yield randint(max(1, first - 2 * count), min(first + 2 * count, MAX_PORT))


def make_plan(source: Source, loaded: Loaded) -> Plan:
    """Return what the supervisor is to run."""
    config = loaded.config
    return Plan(
        program=(sys.executable, "-P", "-m", "nbgate.app"),
        source_json=msgspec.json.encode(source).decode(),
        environ=child_environment(needed_environment(os.environ), Path(nbgate.__file__).resolve().parent.parent),
        workers=len(os.sched_getaffinity(0)) if config.workers == "auto" else config.workers,
        ip=config.ip,
        hosts=config.hosts,
        base_url=config.base_url,
        http_port=config.http_port,
        drain_seconds=config.limits.drain_seconds,
    )


def needed_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a keeper and a worker read of `environ`.

    The rest is other programs', and may hold their secrets (JUPYTER_TOKEN, those of clouds): who takes a worker over
    does not find them there. Options are no part of it: they travel in the keeper's `--source`.
    """
    return {name: value for name, value in environ.items() if name in _NEEDED or name.startswith(_NEEDED_PREFIXES)}


def child_environment(environ: dict[str, str], home: Path) -> dict[str, str]:
    """Return the children's environment: they import nbgate from where this process did.

    They run with -P, because `python -m` would also import from the current folder, which may hold anybody's files.
    Only a checkout needs its folder named; an installed package is found by itself. The service manager's socket is
    the supervisor's alone.
    """
    environ = {name: value for name, value in environ.items() if name not in _OF_THE_SUPERVISOR}
    if home.name in {"site-packages", "dist-packages"}:
        return environ
    others = environ.get("PYTHONPATH", "")
    return environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(home), others)))}


def require_apart(data_dir: Path) -> None:
    """Check that the data folder is not below a folder that workers must be able to read.

    Raises:
        StartError: It is (78): a worker could read every secret.
    """
    place = data_dir.resolve()
    for folder in own_folders():
        if place.is_relative_to(folder.resolve()):
            raise StartError(
                f"the data folder {data_dir} lies in {folder}, where the program itself is",
                hint="workers may read the program, but never the data: choose another folder with --data-dir",
                exit_code=ExitCode.CONFIGURATION,
            )


def prepare_process() -> None:
    """Set what every process of the gateway has: private files, no core dumps, enough descriptors."""
    keep_secrets()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a smaller limit than we hoped for is still a limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
