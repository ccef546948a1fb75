"""`make run`: one account and its password, then `nbgate launch`; everything lies in one folder.

Shows user and password once; each start sets a new password. Needs no root, and changes nothing outside that folder.
"""

import argparse
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

USER = "you"
COMMAND_SECONDS = 60.0
GREETING = """
  JupyterLab behind nbgate
  user:      {user}
  password:  {password}      (shown this once; the next `make run` sets a new one)
  notebooks: {notebooks}
  audit:     {audit}

The address follows. Your browser will warn once about the self-signed certificate. Ctrl-C ends both.

"""


def main(words: Sequence[str]) -> NoReturn:
    """Make the account and become `nbgate launch`."""
    parser = argparse.ArgumentParser(prog="python -m nbgate.testing.demo", description="JupyterLab behind nbgate")
    parser.add_argument("--folder", type=Path, default=Path(".make/run"), help="where everything lies")
    parser.add_argument("--port", help="port of the gateway; without it 8443, or one near it that is free")
    options = parser.parse_args(words)
    folder = options.folder.resolve()
    notebooks = folder / "root"
    notebooks.mkdir(mode=0o700, parents=True, exist_ok=True)
    environ = _environment(folder)
    password = secrets.token_urlsafe(15)
    _set_password(password, environ)
    audit = folder / "state" / "audit"
    sys.stdout.write(GREETING.format(user=USER, password=password, notebooks=notebooks, audit=audit))
    sys.stdout.flush()
    flags = ["--port", options.port] if options.port else []
    root = ["--allow-root"] if os.geteuid() == 0 else []
    server = ["jupyter", "lab", f"--ServerApp.root_dir={notebooks}", *root]
    os.execve(sys.executable, [*_nbgate("launch"), *flags, "--", *server], environ)


def _nbgate(*words: str) -> list[str]:
    return [sys.executable, "-m", "nbgate", *words]


def _environment(folder: Path) -> dict[str, str]:
    """Return our environment with all folders in one, and no configuration but the defaults."""
    home = folder / "home"
    beside = str(Path(sys.executable).parent)
    return os.environ | {
        "NBGATE_CONFIG": os.devnull,
        "NBGATE_DATA_DIR": str(folder / "state"),
        "JUPYTER_CONFIG_DIR": str(home),
        "JUPYTER_DATA_DIR": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "PATH": os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]),
    }


def _set_password(password: str, environ: dict[str, str]) -> None:
    """Add the user, or give an existing one this password; say why when neither works, and end."""
    for command in ("passwd", "add"):
        done = subprocess.run(
            _nbgate("user", command, USER, "--password-stdin"),
            input=f"{password}\n",
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            env=environ,
            check=False,
        )
        if done.returncode == 0:
            return
    sys.exit(done.stderr.strip())


if __name__ == "__main__":
    main(sys.argv[1:])
