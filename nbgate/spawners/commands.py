"""The notebook servers that `nbgate launch` knows, and what must be added to their words; placeholders for all others.

Pure: it turns words into words and starts nothing. A token never becomes a word where somebody else could use it: every
user of the machine can read the words of a process.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import PurePath

from msgspec import Struct

from nbgate.errors import ExitCode, StartError

DEFAULT_COMMAND = ("jupyter", "lab")


class Reach(StrEnum):
    """How the gateway reaches a server: a Unix socket in a private folder, or a port that all local users see."""

    SOCKET = "socket"
    PORT = "port"


class Place(Struct, frozen=True, kw_only=True):
    """Where one server is to listen, and the token that opens it.

    Attributes:
        token_file: Path of a file (0600) that holds `token` and nothing else.
    """

    sock: str
    port: int
    token: str
    token_file: str

    def __repr__(self) -> str:
        return f"Place(sock={self.sock!r}, port={self.port}, token=Secret(…))"

    def fill(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return `words` with every placeholder replaced."""
        values = {_SOCK: self.sock, _PORT: str(self.port), _TOKEN: self.token, _TOKEN_FILE: self.token_file}
        return tuple(_replaced(word, values) for word in words)


class Server(Struct, frozen=True, kw_only=True):
    """A notebook server as it is to be started.

    Attributes:
        name: What it is called in messages.
        words: The whole command, placeholders included.
        reach: Where it will listen.
        writes_runtime_file: It tells its address in a Jupyter runtime file, a moment after it has begun to listen.
    """

    name: str
    words: tuple[str, ...]
    reach: Reach
    writes_runtime_file: bool = False


_SOCK, _PORT, _TOKEN, _TOKEN_FILE = "{sock}", "{port}", "{token}", "{token_file}"

# A person's own configuration may set a port or a certificate for use without a gateway; Jupyter refuses any port but
# its default beside a socket, and would speak TLS on it.
_JUPYTER = ("--sock={sock}", "--port=8888", "--certfile=", "--keyfile=", "--no-browser")

_KNOWN = frozenset({"jupyter lab", "jupyter nbclassic", "jupyter notebook", "jupyter server"})

# Known too, but what they do with a token is not what a Jupyter server does: the gateway could not open them.
_UNGUARDED = {
    "marimo": ("it takes its token in a form that nbgate does not send", "nbgate launch starts JupyterLab"),
    "voila": (
        "it has no page that shows whether a token is the right one",
        "jupyter server runs it: nbgate launch -- jupyter server --ServerApp.default_url=/voila/render/NAME.ipynb",
    ),
}


def plan_server(words: Sequence[str]) -> Server:
    """Return how the server that `words` call is to be started; placeholders in them win over the table.

    Raises:
        StartError: It cannot be guarded, it is not known how it is told where to listen, or it would show its token to
            every local user (2).
    """
    command = tuple(words) or DEFAULT_COMMAND
    name = _name(command)
    if {_SOCK, _PORT} & _placeholders(command):
        return _plan_by_placeholders(name, command)
    if name in _KNOWN:
        return Server(name=name, words=command + _JUPYTER, reach=Reach.SOCKET, writes_runtime_file=True)
    if name in _UNGUARDED:
        why, hint = _UNGUARDED[name]
        raise StartError(f"{name} cannot be guarded by itself: {why}", hint=hint, exit_code=ExitCode.USAGE)
    raise StartError(
        f"it is not known how {name} is told where to listen",
        hint=f"write {_SOCK} or {_PORT} where its address stands: nbgate launch -- {name} --port {_PORT}; "
        f"{_TOKEN_FILE} is the path of its token",
        exit_code=ExitCode.USAGE,
    )


def _plan_by_placeholders(name: str, words: tuple[str, ...]) -> Server:
    found = _placeholders(words)
    if {_SOCK, _PORT} <= found:
        raise StartError(
            f"{_SOCK} and {_PORT} in one command",
            hint=f"a server listens on one of them: {_SOCK} where it can, nobody else reaches that",
            exit_code=ExitCode.USAGE,
        )
    if {_PORT, _TOKEN} <= found:
        raise StartError(
            f"{_TOKEN} would be readable for every user of this machine, and the port open to them",
            hint=f"give its file, {_TOKEN_FILE}, or listen on {_SOCK}",
            exit_code=ExitCode.USAGE,
        )
    return Server(name=name, words=words, reach=Reach.SOCKET if _SOCK in found else Reach.PORT)


def _placeholders(words: Sequence[str]) -> set[str]:
    return {text for text in (_SOCK, _PORT, _TOKEN, _TOKEN_FILE) if any(text in word for word in words)}


def _name(words: Sequence[str]) -> str:
    """Return what the server is called: `jupyter lab` runs `jupyter-lab`, and people type either."""
    program = PurePath(words[0]).name
    if program == "jupyter" and len(words) > 1 and not words[1].startswith("-"):
        return f"jupyter {words[1]}"
    return program.replace("-", " ", 1) if program.startswith("jupyter-") else program


def _replaced(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word
