"""A folder of its own for every command, and a small gateway that answers on a control socket."""

import http.server
import json
import os
import socketserver
import threading
from pathlib import Path

import pytest

from nbgate.cli import main

KEY = "k" * 64


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The data folder that commands use."""
    path = tmp_path / "state"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NBGATE_DATA_DIR", str(path))
    for name in ("NBGATE_CONFIG", "NBGATE_PROFILE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "etc"))
    monkeypatch.setattr("nbgate.config.folders.SYSTEM_CONFIG_DIR", str(tmp_path / "etc" / "nbgate"))
    (tmp_path / "cheap.toml").write_text("[login]\nmemory_kib = 8192\ntime_cost = 1\n")
    return path


@pytest.fixture
def run(capsys):
    """Run a command in this process; return exit code, standard output and standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


class FakeGateway(socketserver.ThreadingUnixStreamServer):
    """Answers what the test says, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        key = folder / "control.key"
        key.write_text(KEY + "\n")
        key.chmod(0o600)
        self.asked: list[tuple[str, str, str, object]] = []
        self.answers: list[tuple[int, object]] = []
        super().__init__(str(folder / "control.sock"), _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FakeGateway

    def log_message(self, *arguments) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, self.headers["Authorization"], json.loads(body or b"null")))
        if not self.server.answers:
            self.close_connection = True
            return
        status, value = self.server.answers.pop(0)
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the base class calls them so


@pytest.fixture
def gateway(folder):
    with FakeGateway(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def typed(monkeypatch):
    """Give standard input some bytes; not a terminal."""
    opened = []

    def type_in(data: bytes) -> None:
        read, write = os.pipe()
        os.write(write, data)
        os.close(write)
        opened.append(os.fdopen(read, encoding="utf-8"))
        monkeypatch.setattr("sys.stdin", opened[-1])

    yield type_in
    for file in opened:
        file.close()
