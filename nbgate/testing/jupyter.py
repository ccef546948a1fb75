"""Start real, unmodified notebook servers on loopback, with folders of their own.

Each command is found by its variable, in the folder that `make test` and `make test-servers` fill, beside the running
Python, or on PATH.
"""

import contextlib
import json
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from nbgate.testing.process import Program
from nbgate.testing.wait import wait_until

START_SECONDS = 60.0
_MADE = Path(__file__).resolve().parents[2] / ".make"
_SAYS_READY = ("is running at", "is listening on")
_JUPYTER = ("--no-browser", "--ip=127.0.0.1")


@dataclass(frozen=True, slots=True)
class Kind:
    """One notebook server that tests run.

    Attributes:
        variable: Names its command, where it is not where they put it.
        name: Of the command.
        environment: Folder below `.make/` with a virtual environment of its own, "" for none.
        words: How it is told its base URL and its root folder.
        told_token: How it is told its token, where it does not read JUPYTER_TOKEN.
        told_no_token: How it is told to ask for none, where it would make one.
        tells_port: Whether it tells a port that the system chose.
        writes_file: Whether it writes a runtime file; the others run when their port answers.
    """

    variable: str
    name: str
    environment: str = ""
    words: tuple[str, ...] = (*_JUPYTER, "--ServerApp.base_url={base_url}", "--ServerApp.root_dir={root}")
    told_token: tuple[str, ...] = ()
    told_no_token: tuple[str, ...] = ()
    tells_port: bool = True
    writes_file: bool = True


LAB = Kind("NBGATE_TEST_JUPYTER_LAB", "jupyter-lab")
LAB_COLLABORATION = Kind("NBGATE_TEST_COLLABORATION", "jupyter-lab", "collaboration-venv")
"""JupyterLab with jupyter-collaboration and jupyterlab-lsp."""
NOTEBOOK_7 = Kind("NBGATE_TEST_NOTEBOOK7", "jupyter-notebook", "notebook7-venv")
NOTEBOOK_6 = Kind(
    "NBGATE_TEST_NOTEBOOK6",
    "jupyter-notebook",
    "notebook6-venv",
    words=(*_JUPYTER, "--NotebookApp.base_url={base_url}", "--NotebookApp.notebook_dir={root}"),
    tells_port=False,
)
NBCLASSIC = Kind("NBGATE_TEST_NBCLASSIC", "jupyter-nbclassic", "nbclassic-venv")
VOILA = Kind(
    "NBGATE_TEST_VOILA",
    "voila",
    "voila-venv",
    words=("{root}", "--no-browser", "--Voila.ip=127.0.0.1", "--base_url={base_url}"),
    told_token=("--token={token}",),
    tells_port=False,
    writes_file=False,
)
VOILA_SERVER = Kind("NBGATE_TEST_VOILA_SERVER", "jupyter-server", "voila-venv")
"""Voila as an extension of a Jupyter server."""
MARIMO = Kind(
    "NBGATE_TEST_MARIMO",
    "marimo",
    "marimo-venv",
    words=("edit", "--headless", "--skip-update-check", "--host=127.0.0.1", "--base-url={bare_base_url}"),
    told_token=("--token-password={token}",),
    told_no_token=("--no-token",),
    tells_port=False,
    writes_file=False,
)


@dataclass(frozen=True, slots=True)
class Jupyter:
    """A running notebook server; `port` is 0 on a Unix socket, `token` "" where it has none."""

    port: int
    token: str = field(repr=False)
    root: Path
    runtime: Path
    program: Program
    base_url: str = "/"

    @property
    def url(self) -> str:
        """Return its address, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}/"


def find_command(kind: Kind) -> Path | None:
    """Return the command that starts a server of this kind, or None."""
    made = (
        _MADE / kind.environment / "bin" / kind.name if kind.environment else Path(sys.executable).with_name(kind.name)
    )
    named = os.environ.get(kind.variable) or (str(made) if made.exists() or kind.environment else kind.name)
    found = shutil.which(named)
    return Path(found) if found else None


def find_jupyter_lab() -> Path | None:
    """Return the `jupyter-lab` command to use, or None."""
    return find_command(LAB)


@contextmanager
def running_jupyter(
    folder: Path,
    *,
    kind: Kind = LAB,
    base_url: str = "/",
    flags: tuple[str, ...] = (),
    token: str | None = None,
    runtime: Path | None = None,
) -> Iterator[Jupyter]:
    """Run a notebook server whose files lie in `folder`; end it at the end.

    Args:
        folder: For all it writes.
        kind: Which.
        base_url: What it is told.
        flags: More of its flags.
        token: Its token; a random one by default, "" for none.
        runtime: Its runtime folder, where several share one; else one in `folder`.

    Raises:
        FileNotFoundError: It is not installed.
        TimeoutError: It did not start in time.
    """
    command = find_command(kind)
    if command is None:
        message = f"no {kind.name}: `make test` or `make test-servers` installs it, or {kind.variable} names it"
        raise FileNotFoundError(message)
    root, runtime, home = folder / "root", runtime or folder / "runtime", folder / "home"
    for path in (root, runtime, home):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = secrets.token_hex(24) if token is None else token
    words = [*_words(kind, base_url, root, token), *flags]
    port = 0 if kind.tells_port else free_port()
    if not any(flag.startswith("--sock=") for flag in flags):
        words.append(f"--port={port}")
    program = Program([str(command), *words], folder / "jupyter.log", _environment(home, runtime, token), root)
    look = partial(_said, runtime, program) if kind.writes_file else partial(_answers, port, program)
    program.start()
    try:
        said = wait_until(look, what=kind.name, deadline_seconds=START_SECONDS)
        yield Jupyter(int(said["port"]), token, root, runtime, program, base_url)
    finally:
        program.end()


def _words(kind: Kind, base_url: str, root: Path, token: str) -> list[str]:
    told = (*kind.words, *(kind.told_token if token else kind.told_no_token))
    names = {"base_url": base_url, "bare_base_url": base_url.rstrip("/"), "root": root, "token": token}
    as_root = ["--allow-root"] if os.geteuid() == 0 and kind.writes_file else []
    return [word.format_map(names) for word in told] + as_root


def _environment(home: Path, runtime: Path, token: str) -> dict[str, str]:
    own = {"JUPYTER_RUNTIME_DIR": runtime, "JUPYTER_CONFIG_DIR": home, "JUPYTER_DATA_DIR": home}
    own |= {"IPYTHONDIR": home / "ipython", "XDG_CONFIG_HOME": home / "config", "XDG_STATE_HOME": home / "state"}
    return {name: str(value) for name, value in own.items()} | ({"JUPYTER_TOKEN": token} if token else {})


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _said(runtime: Path, program: Program) -> dict[str, Any] | None:
    """Return where the server is, by its runtime file, once it answers there.

    It may be in the middle of writing the file, and some say that they run a moment before they listen.
    """
    program.check_running()
    if not any(words in program.said() for words in _SAYS_READY):
        return None
    for file in runtime.glob(f"*server-{program.pid}.json"):
        with contextlib.suppress(ValueError):
            said = dict(json.loads(file.read_text(encoding="utf-8")))
            return said if said.get("sock") else _answers(int(said["port"]), program)
    return None


def _answers(port: int, program: Program) -> dict[str, Any] | None:
    """Return what a runtime file would say, of a server that writes none, once its port answers."""
    program.check_running()
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return {"port": port}
    return None
