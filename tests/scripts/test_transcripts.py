"""Play every transcript of this folder; `README.md` says how one is written."""

import http.server
import os
import re
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
TRANSCRIPTS = sorted(HERE.glob("*.txt"))
COMMAND_SECONDS = 40
UNPRIVILEGED_START = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
SHIM = '#!/bin/sh\nexec "{python}" -P -m nbgate "$@"\n'


@dataclass
class Command:
    """One command, and what it is to print."""

    words: str
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    code: int = 0


@dataclass
class File:
    """A file of the scene."""

    name: str
    mode: int
    lines: list[str] = field(default_factory=list)


Step = Command | File | str


def parse(text: str) -> tuple[list[str], list[Step]]:
    """Return what the transcript needs, and its steps; a `run` line is a str."""
    needs: list[str] = []
    steps: list[Step] = []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        last = steps[-1] if steps else None
        match word:
            case "#" | "" if not line.startswith(" "):
                continue
            case "skip":
                needs.append(rest.removeprefix("unless "))
            case "file":
                name, mode = rest.split()
                steps.append(File(name, int(mode, 8)))
            case "|" if isinstance(last, File):
                last.lines.append(rest)
            case "run":
                steps.append(rest)
            case "$":
                steps.append(Command(rest))
            case "2>" if isinstance(last, Command):
                last.err.append(rest)
            case "?" if isinstance(last, Command):
                last.code = int(rest)
            case _ if isinstance(last, Command):
                last.out.append(line)
            case _:
                raise ValueError(f"not a line of a transcript: {line}")
    return needs, steps


def is_there(need: str) -> bool:
    match need:
        case "root":
            return os.geteuid() == 0
        case "privileged ports":
            return os.geteuid() == 0 and int(UNPRIVILEGED_START.read_text()) > 443
        case "user namespaces":
            return (
                os.geteuid() != 0 or subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode == 0
            )
        case _:
            raise ValueError(f"unknown need: {need}")


def matches(expected: list[str], printed: str) -> bool:
    pattern = "".join(f"{re.escape(line).replace(re.escape('...'), '.*')}\n" for line in expected)
    return re.fullmatch(pattern, printed) is not None


class _Open(http.server.BaseHTTPRequestHandler):
    """A notebook server that asks nobody for a credential."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def open_port():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Open) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def places(tmp_path, open_port):
    """What the transcripts call by name."""
    with socket.create_server(("127.0.0.1", 0)) as occupied, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        names = {
            "{occupied}": str(occupied.getsockname()[1]),
            "{free}": str(free.getsockname()[1]),
            "{home}": str(tmp_path),
            "{open}": str(open_port),
        }
        free.close()
        yield names


def shell(words: str, folder: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    tools = folder / ".tools"
    if not tools.exists():
        tools.mkdir()
        (tools / "nbgate").write_text(SHIM.format(python=sys.executable))
        (tools / "nbgate").chmod(0o755)
    environ = {
        "HOME": str(folder),
        "NBGATE_DATA_DIR": str(folder / "state"),
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(
        ["sh", "-c", words], cwd=folder, env=environ, input=stdin.decode(), capture_output=True, text=True,
        timeout=COMMAND_SECONDS,
    )  # fmt: skip


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_it_happens_as_written(path, places, tmp_path):
    text = path.read_text(encoding="utf-8")
    for name, value in places.items():
        text = text.replace(name, value)
    needs, steps = parse(text)
    for need in needs:
        if not is_there(need):
            pytest.skip(f"needs {need}")
    for step in steps:
        match step:
            case File(name, mode, lines):
                (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
                (tmp_path / name).chmod(mode)
            case str(words):
                done = shell(words, tmp_path)
                assert 0 == done.returncode, done.stderr
            case Command(words, out, err, code):
                done = shell(words, tmp_path)
                assert matches(out, done.stdout), f"$ {words}\n{done.stdout}\nnot\n" + "\n".join(out)
                assert matches(err, done.stderr), f"$ {words}\n{done.stderr}\nnot\n" + "\n".join(err)
                assert code == done.returncode, words


def test_every_transcript_has_a_title_and_a_command():
    assert len(TRANSCRIPTS) > 10
    for path in TRANSCRIPTS:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# "), path
        assert "\n$ nbgate" in text or "\n$ setpriv" in text or "| nbgate" in text, path


@pytest.mark.parametrize("text", ["what is this", "| a line of no file", "2> printed by nothing", "? 78"])
def test_a_line_that_means_nothing_is_an_error(text):
    with pytest.raises(ValueError, match="not a line of a transcript"):
        parse(text)
