"""Start real, unmodified notebook servers on loopback, with folders of their own.

Each command is found by its variable, in the folder `make test` makes, beside the running Python, or on PATH.
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
from pathlib import Path
from typing import Any

from nbgate.testing.process import Program
from nbgate.testing.wait import wait_until

START_SECONDS = 60.0
_MADE = Path(__file__).resolve().parents[2] / ".make"
_SAYS_READY = ("is running at", "is listening on")


@dataclass(frozen=True, slots=True)
class Kind:
    """One notebook server that tests run.

    Attributes:
        variable: Names its command, where it is not where `make test` puts it.
        name: Of the command.
        environment: Folder below `.make/` with a virtual environment of its own, "" for none.
        options: By which flags it is told its base URL and its root folder.
        tells_port: Whether it tells a port that the system chose.
    """

    variable: str
    name: str
    environment: str = ""
    options: tuple[str, str] = ("--ServerApp.base_url", "--ServerApp.root_dir")
    tells_port: bool = True


LAB = Kind("NBGATE_TEST_JUPYTER_LAB", "jupyter-lab")
NOTEBOOK_7 = Kind("NBGATE_TEST_NOTEBOOK7", "jupyter-notebook", "notebook7-venv")
NOTEBOOK_6 = Kind(
    "NBGATE_TEST_NOTEBOOK6",
    "jupyter-notebook",
    "notebook6-venv",
    ("--NotebookApp.base_url", "--NotebookApp.notebook_dir"),
    tells_port=False,
)


@dataclass(frozen=True, slots=True)
class Jupyter:
    """A running notebook server; `port` is 0 on a Unix socket, `token` "" where it has none."""

    port: int
    token: str = field(repr=False)
    root: Path
    runtime: Path
    program: Program

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
        message = f"no {kind.name}: `make test` installs it, or {kind.variable} names it"
        raise FileNotFoundError(message)
    root, runtime, home = folder / "root", runtime or folder / "runtime", folder / "home"
    for path in (root, runtime, home):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = secrets.token_hex(24) if token is None else token
    base_flag, root_flag = kind.options
    options = ["--no-browser", "--ip=127.0.0.1", f"{base_flag}={base_url}", f"{root_flag}={root}", *flags]
    if not any(flag.startswith("--sock=") for flag in flags):
        options.append(f"--port={0 if kind.tells_port else free_port()}")
    options += ["--allow-root"] if os.geteuid() == 0 else []
    own_folders = {"JUPYTER_RUNTIME_DIR": str(runtime), "JUPYTER_CONFIG_DIR": str(home), "JUPYTER_DATA_DIR": str(home)}
    own_folders |= {"IPYTHONDIR": str(home / "ipython")} | ({"JUPYTER_TOKEN": token} if token else {})
    program = Program([str(command), *options], folder / "jupyter.log", own_folders, root)
    program.start()
    try:
        said = wait_until(lambda: _said(runtime, program), what=kind.name, deadline_seconds=START_SECONDS)
        yield Jupyter(port=int(said["port"]), token=token, root=root, runtime=runtime, program=program)
    finally:
        program.end()


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _said(runtime: Path, program: Program) -> dict[str, Any] | None:
    """Return what stands in the runtime file once the server says it runs; it may be in the middle of writing it."""
    program.check_running()
    if not any(words in program.said() for words in _SAYS_READY):
        return None
    for file in runtime.glob(f"*server-{program.pid}.json"):
        with contextlib.suppress(ValueError):
            return dict(json.loads(file.read_text(encoding="utf-8")))
    return None
