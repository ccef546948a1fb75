"""Ask the running gateway, over its private Unix socket.

Both ends prove themselves: the kernel says whose process answers (SO_PEERCRED) before a key or a password is sent, and
the key from the data folder says that we may ask.
"""

import http.client
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbgate.errors import ConfigError, ExitCode, Problem, StartError
from nbgate.files import MAX_SOCKET_PATH_BYTES, read_private
from nbgate.link.peer import peer_uid

TIMEOUT_SECONDS = 60.0
MAX_ANSWER_BYTES = 16 << 20
_MAX_KEY_BYTES = 4096


class _Connection(http.client.HTTPConnection):
    def __init__(self, sock: socket.socket) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self.sock = sock


def maybe_connect(folder: Path) -> socket.socket | None:
    """Return a connection to the gateway that holds the data folder `folder`; None when none is running.

    Raises:
        StartError: What answers there is another user's process (77), or nothing can: the path is too long (78).
    """
    path = str(folder / "control.sock")
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise StartError(
            f"the data folder {folder} has too long a path for the sockets in it",
            hint=f"choose a shorter --data-dir: a socket's path has at most {MAX_SOCKET_PATH_BYTES} bytes",
            exit_code=ExitCode.CONFIGURATION,
        )
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(TIMEOUT_SECONDS)
    try:
        sock.connect(path)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        sock.close()
        return None
    except OSError as error:
        sock.close()
        raise StartError(
            f"cannot reach the gateway of {folder}: {(error.strerror or str(error)).lower()}",
            hint="run the command as the user that runs nbgate, or as root",
            exit_code=ExitCode.PERMISSION,
        ) from error
    uid = peer_uid(sock)
    if uid not in {os.geteuid(), 0}:
        sock.close()
        raise StartError(
            f"what answers in {folder} is a process of another user (uid {uid})",
            hint="run the command as that user, if it is yours",
            exit_code=ExitCode.PERMISSION,
        )
    return sock


def ask(folder: Path, sock: socket.socket, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Return what the gateway answers; `sock` is closed.

    Raises:
        ConfigError: It refused a configuration, with every problem of it.
        StartError: It refused, with its words; or it ended while we asked (75).
    """
    headers = {"Authorization": f"control {_read_key(folder)}", "Content-Type": "application/json"}
    connection = _Connection(sock)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        status, value = answer.status, json.loads(answer.read(MAX_ANSWER_BYTES) or b"null")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise StartError(
            "the gateway ended while it was asked", hint="try again", exit_code=ExitCode.TRY_AGAIN
        ) from error
    finally:
        connection.close()
    if status >= http.client.BAD_REQUEST:
        if "problems" in value:
            raise ConfigError(tuple(Problem(**problem) for problem in value["problems"]))
        raise StartError(
            value.get("error", f"the gateway answered {status}"),
            hint=value.get("hint", ""),
            exit_code=ExitCode(value.get("exit_code", _exit_code_of(status))),
        )
    return value


def _exit_code_of(status: int) -> ExitCode:
    """What was mistyped is told like any mistyped word; else the command just failed."""
    return ExitCode.USAGE if status == http.client.BAD_REQUEST else ExitCode.FAILURE


def _read_key(folder: Path) -> str:
    try:
        return read_private(folder / "control.key", _MAX_KEY_BYTES).decode("ascii").strip()
    except (OSError, ValueError) as error:
        raise StartError(
            f"cannot read the control key in {folder}: {error}",
            hint="run the command as the user that runs nbgate, or as root",
            exit_code=ExitCode.PERMISSION,
        ) from error
