"""`make run`: a JupyterLab on loopback with a token of its own, and the gateway in front of it.

Prints link, user and password once and waits; Ctrl-C ends both. Each start sets a new password. Everything lies in one
folder, needs no root, and nothing outside it is changed.
"""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from nbgate.testing.jupyter import running_jupyter
from nbgate.testing.process import Program

USER = "you"
START_SECONDS = 60.0
COMMAND_SECONDS = 60.0
LOOK_SECONDS = 0.5
GREETING = """
  JupyterLab behind nbgate:  {url}
  user: {user}
  password: {password}      (shown this once; the next `make run` sets a new one)
{fingerprint}
  notebooks: {notebooks}
  audit:     {audit}

Your browser will warn once about the self-signed certificate. Ctrl-C ends both.
"""


def main(words: Sequence[str]) -> int:
    """Run until Ctrl-C; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m nbgate.testing.demo", description="JupyterLab behind nbgate")
    parser.add_argument("--folder", type=Path, default=Path(".make/run"), help="where everything lies")
    parser.add_argument("--port", type=int, default=8443, help="port of the gateway; 0 lets the system choose")
    options = parser.parse_args(words)
    folder = options.folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)  # a shell that starts us in the background has it ignored
    try:
        with running_jupyter(folder) as jupyter, _gateway(folder, jupyter.port, jupyter.runtime, options.port) as it:
            while True:
                it.check_running()
                jupyter.program.check_running()
                time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        sys.stdout.write("\nended\n")
        return 0
    except (RuntimeError, TimeoutError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _gateway(folder: Path, upstream_port: int, runtime: Path, port: int) -> Iterator[Program]:
    """Run the gateway with one user and a new password, and greet."""
    environment = {"NBGATE_DATA_DIR": str(folder / "state"), "JUPYTER_RUNTIME_DIR": str(runtime)}
    password = secrets.token_urlsafe(15)
    _set_password(password, environment)
    command = [sys.executable, "-m", "nbgate", "--upstream", f"127.0.0.1:{upstream_port}", "--port", str(port)]
    log = folder / "nbgate.log"
    log.write_bytes(b"")
    program = Program(command, log, environment)
    program.start()
    try:
        url = program.wait_for_line(r"listening on (https://\S+)", START_SECONDS)[1]
        sys.stdout.write(_greeting(folder, url, password, program.said()))
        sys.stdout.flush()
        yield program
    finally:
        program.end()


def _greeting(folder: Path, url: str, password: str, said: str) -> str:
    fingerprints = [f"  {line.strip()}" for line in said.splitlines() if "fingerprint" in line.lower()]
    return GREETING.format(
        url=url.replace("127.0.0.1", "localhost"),
        user=USER,
        password=password,
        fingerprint="\n".join(fingerprints[-1:]),
        notebooks=folder / "root",
        audit=folder / "state" / "audit",
    )


def _set_password(password: str, environment: dict[str, str]) -> None:
    """Add the user, or give an existing one this password.

    Raises:
        RuntimeError: Neither worked.
    """
    for words in (("passwd", USER), ("add", USER)):
        done = subprocess.run(
            [sys.executable, "-m", "nbgate", "user", *words, "--password-stdin"],
            input=f"{password}\n",
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            env={**os.environ, **environment},
            check=False,
        )
        if done.returncode == 0:
            return
    raise RuntimeError(done.stderr.strip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
