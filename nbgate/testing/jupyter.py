"""Start a real, unmodified JupyterLab on loopback with a token of its own, in folders of its own.

It is found beside the running Python, then on PATH; `NBGATE_TEST_JUPYTER_LAB` names another one.
"""

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nbgate.testing.process import Program
from nbgate.testing.wait import wait_until

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Jupyter:
    """A running JupyterLab."""

    port: int
    token: str = field(repr=False)
    root: Path
    runtime: Path
    program: Program

    @property
    def url(self) -> str:
        """Return its base URL, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}/"


def find_jupyter_lab() -> Path | None:
    """Return the `jupyter-lab` command to use, or None."""
    beside = Path(sys.executable).with_name("jupyter-lab")
    named = os.environ.get("NBGATE_TEST_JUPYTER_LAB") or (str(beside) if beside.exists() else "jupyter-lab")
    found = shutil.which(named)
    return Path(found) if found else None


@contextmanager
def running_jupyter(folder: Path, *, base_url: str = "/", flags: tuple[str, ...] = ()) -> Iterator[Jupyter]:
    """Run a JupyterLab whose files and runtime folder lie in `folder`; end it at the end.

    Raises:
        FileNotFoundError: No JupyterLab is installed.
        TimeoutError: It did not start in time.
    """
    command = find_jupyter_lab()
    if command is None:
        message = "no jupyter-lab beside this Python or on PATH"
        raise FileNotFoundError(message)
    root, runtime, home = (folder / name for name in ("root", "runtime", "home"))
    for path in (root, runtime, home):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = secrets.token_hex(24)
    options = ["--no-browser", "--ServerApp.ip=127.0.0.1", "--port=0", f"--ServerApp.base_url={base_url}", *flags]
    options += ["--allow-root"] if os.geteuid() == 0 else []
    own_folders = {"JUPYTER_RUNTIME_DIR": str(runtime), "JUPYTER_CONFIG_DIR": str(home), "JUPYTER_DATA_DIR": str(home)}
    own_folders |= {"IPYTHONDIR": str(home / "ipython"), "JUPYTER_TOKEN": token}
    program = Program(
        [str(command), *options, f"--ServerApp.root_dir={root}"], folder / "jupyter.log", own_folders, root
    )
    program.start()
    try:
        port = wait_until(lambda: _port(runtime, program), what="JupyterLab", deadline_seconds=START_SECONDS)
        yield Jupyter(port=port, token=token, root=root, runtime=runtime, program=program)
    finally:
        program.end()


def _port(runtime: Path, program: Program) -> int:
    """Return the port of the runtime file once the server says it runs; 0 before."""
    program.check_running()
    file = runtime / f"jpserver-{program.pid}.json"
    if not file.exists() or "is running at" not in program.said():
        return 0
    return int(json.loads(file.read_text(encoding="utf-8"))["port"])
