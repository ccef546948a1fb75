"""`nbgate launch`: start a notebook server that nobody else can reach, and the gateway in front of it.

Parent of both: it makes the token, the private folder and the log, and `nbgate.spawners.pair` watches them. Nothing it
sets reaches the notebook server's files or kernels but the path of a folder that is this user's alone.
"""

import contextlib
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import nbgate
from nbgate.cli.control import maybe_connect
from nbgate.cli.first_run import ask_for_first_user
from nbgate.cli.parser import ServeFlags, Where, flags_of, source_of, words_of
from nbgate.cli.serve import child_environment, require_apart
from nbgate.clock import SystemClock
from nbgate.config.options import help_of
from nbgate.config_file import load_config
from nbgate.errors import ExitCode, StartError
from nbgate.jupyter.runtime_files import is_runtime_file_name, maybe_parse_runtime_file
from nbgate.keeper.folder import prepare_folder
from nbgate.spawners.commands import Place, Reach, Server, plan_server
from nbgate.spawners.folder import SOCKET_NAME, private_folder, write_token
from nbgate.spawners.output import ServerOutput
from nbgate.spawners.pair import Pair
from nbgate.spawners.process import start_process
from nbgate.supervisor.signals import queued_signals
from nbgate.terminal import say

LOG_NAME = "notebook-server.log"
TOKEN_BYTES = 32
CONNECT_SECONDS = 1.0
_LOOPBACK = "127.0.0.1"
# A token would be every kernel's; the service manager's socket is the gateway's business.
_NOT_THE_SERVERS = ("JUPYTER_TOKEN", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")


def launch_server(
    *command: Annotated[str, Parameter(help="The notebook server's own command, after --.", show_default=False)],
    allow_open_upstream: Annotated[bool | None, Parameter(help=help_of("allow_open_upstream"), negative=())] = None,
    upstream: Annotated[list[str] | None, Parameter(show=False, negative=())] = None,
    flags: ServeFlags = ServeFlags(),
    where: Where = Where(),
) -> int:
    """Start a notebook server, and the gateway in front of it; end both together."""
    if upstream:
        raise StartError(
            "nbgate launch starts a notebook server of its own",
            hint=f"for one that already runs: nbgate --upstream {upstream[0]}",
            exit_code=ExitCode.USAGE,
        )
    server = plan_server(command)
    program = find_program(server, os.environ.get("PATH", ""))
    loaded = load_config(source_of(where, flags_of(flags)))
    data = Path(loaded.config.data_dir)
    require_apart(data)
    _require_free(data)
    code = ask_for_first_user(loaded)
    if code != ExitCode.DONE:
        return code
    prepare_folder(data)
    words = words_of(flags, where) + (["--allow-open-upstream"] if allow_open_upstream else [])
    with private_folder(os.environ) as folder:
        return _run(server, program, folder, data / LOG_NAME, words)


def find_program(server: Server, path: str) -> str:
    """Return the program to start: what the shell would, else what is installed beside this Python.

    Raises:
        StartError: There is none (69).
    """
    wanted = server.words[0]
    found = shutil.which(wanted, path=os.pathsep.join([path, str(Path(sys.executable).parent)]))
    if found is not None:
        return found
    is_jupyter = server.name.startswith("jupyter")
    hint = "pip install jupyterlab" if is_jupyter else "install it, or give its whole path"
    raise StartError(
        f"there is no program {wanted} to start",
        hint=f"{hint}; for a server that already runs, nbgate alone guards it",
        exit_code=ExitCode.UNAVAILABLE,
    )


def gateway_words(server: Server, place: Place, words: list[str]) -> list[str]:
    """Return the gateway's words: the person's own, and where the server is.

    What a configuration says of other upstreams, their tokens and their users, is not about this one.
    """
    address = f"unix:{place.sock}" if server.reach is Reach.SOCKET else f"{_LOOPBACK}:{place.port}"
    about_it = [f"--upstream={address}", f"--upstream-token-file={place.token_file}", "--upstream-user="]
    return [sys.executable, "-P", "-m", "nbgate", *about_it, *words]


def server_environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the notebook server's environment, which its kernels inherit: it names our folder, and no token."""
    kept = {name: value for name, value in environ.items() if name not in _NOT_THE_SERVERS}
    configurations = os.pathsep.join(filter(None, (str(folder), environ.get("JUPYTER_CONFIG_PATH", ""))))
    return kept | {"JUPYTER_RUNTIME_DIR": str(folder), "JUPYTER_CONFIG_PATH": configurations}


def answers(server: Server, place: Place) -> bool:
    """Say whether somebody listens at `place`, and has told who it is where the gateway will look for that."""
    try:
        if server.reach is Reach.SOCKET:
            _connect(socket.AF_UNIX, place.sock)
        else:
            _connect(socket.AF_INET, (_LOOPBACK, place.port))
        return not server.writes_runtime_file or place.sock in _told_sockets(Path(place.sock).parent)
    except OSError:  # nobody listens yet, or a file was just being replaced
        return False


def _connect(family: socket.AddressFamily, address: str | tuple[str, int]) -> None:
    with socket.socket(family) as sock:
        sock.settimeout(CONNECT_SECONDS)
        sock.connect(address)


def _told_sockets(folder: Path) -> list[str]:
    paths = [path for path in folder.iterdir() if is_runtime_file_name(path.name)]
    files = [maybe_parse_runtime_file(path.read_text(encoding="utf-8", errors="replace")) for path in paths]
    return [file.sock for file in files if file is not None]


def _run(server: Server, program: str, folder: Path, log: Path, words: list[str]) -> int:
    token = secrets.token_hex(TOKEN_BYTES)
    sock, token_file = str(folder / SOCKET_NAME), str(write_token(folder, token))
    place = Place(sock=sock, port=_free_port(), token=token, token_file=token_file)
    _tell(f"nbgate: starting {server.name}; what it prints goes to {log}")
    gateway_environ = child_environment(dict(os.environ), Path(nbgate.__file__).resolve().parent.parent)
    gateway_environ["JUPYTER_RUNTIME_DIR"] = str(folder)
    with _pair(server, program, place, log) as pair:
        return pair.run(
            lambda: answers(server, place),
            lambda: start_process(gateway_words(server, place, words), gateway_environ),
        )


@contextmanager
def _pair(server: Server, program: str, place: Place, log: Path) -> Iterator[Pair]:
    """Start the notebook server; whatever happens then, it does not outlive the block."""
    had_terminal = os.isatty(0)
    with queued_signals() as signals:
        words = [program, *place.fill(server.words)[1:]]
        process = start_process(words, server_environment(os.environ, Path(place.sock).parent), keep_output=True)
        pair = Pair(
            process,
            ServerOutput(log, place.token),
            signals,
            name=server.name,
            hint=_hint(server, log),
            say=_tell,
            is_terminal_gone=lambda: had_terminal and not os.isatty(0),
            clock=SystemClock(),
        )
        try:
            yield pair
        finally:
            pair.close()


def _hint(server: Server, log: Path) -> str:
    if os.geteuid() == 0 and server.writes_runtime_file and "--allow-root" not in server.words:
        return f"as root it may need --allow-root: nbgate launch -- {server.name} --allow-root"
    return f"see {log}, or type its command by itself"


def _require_free(data: Path) -> None:
    """Check that no gateway holds the data folder: it would be found out after the notebook server has started.

    Raises:
        StartError: One does (75).
    """
    running = maybe_connect(data)
    if running is None:
        return
    running.close()
    raise StartError(
        f"another nbgate uses {data}",
        hint="end it, or give this one a folder of its own with --data-dir or --profile",
        exit_code=ExitCode.TRY_AGAIN,
    )


def _free_port() -> int:
    with socket.create_server((_LOOPBACK, 0)) as sock:
        return int(sock.getsockname()[1])


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal was closed: nobody is there to be told
        say(text)
