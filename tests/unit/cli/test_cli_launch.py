"""What `nbgate launch` starts, with which words and in which environment, and when it starts nothing."""

import json
import socket
import sys
from pathlib import Path

import pytest

from nbgate.cli import launch
from nbgate.cli.launch import answers, find_program, gateway_words, launch_server, server_environment
from nbgate.errors import ExitCode, StartError
from nbgate.spawners.commands import Place, plan_server

LAB, OTHER = plan_server(["jupyter", "lab"]), plan_server(["serve", "{port}"])
PLACE = Place(sock="/run/n/server.sock", port=40321, token="5ecret", token_file="/run/n/token")
ABOUT_IT = ["--upstream-token-file=/run/n/token", "--upstream-user="]


def program(folder, name):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_the_program_is_the_one_that_the_shell_would_start(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", program(tmp_path / "venv", "python"))
    beside = program(tmp_path / "venv", "jupyter")
    assert beside == find_program(LAB, "")
    first = program(tmp_path / "first", "jupyter")
    assert first == find_program(LAB, str(tmp_path / "first"))


@pytest.mark.parametrize(("server", "hint"), [(LAB, "pip install jupyterlab"), (OTHER, "install it")])
def test_a_program_that_is_not_there_is_told_with_a_hint(server, hint, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", program(tmp_path / "venv", "python"))
    with pytest.raises(StartError, match="there is no program") as refused:
        find_program(server, str(tmp_path))
    assert ExitCode.UNAVAILABLE == refused.value.exit_code
    assert refused.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("server", "upstream"), [(LAB, "--upstream=unix:/run/n/server.sock"), (OTHER, "--upstream=127.0.0.1:40321")]
)
def test_the_gateway_is_told_where_the_server_is_and_never_the_token(server, upstream):
    words = gateway_words(server, PLACE, ["--port=0"])
    assert [sys.executable, "-P", "-m", "nbgate", upstream, *ABOUT_IT, "--port=0"] == words
    assert "5ecret" not in " ".join(words)


@pytest.mark.parametrize(("theirs", "expected"), [({}, "/run/n"), ({"JUPYTER_CONFIG_PATH": "/c"}, "/run/n:/c")])
def test_kernels_inherit_no_token_and_no_service_manager(theirs, expected):
    environ = {"HOME": "/h", "JUPYTER_TOKEN": "mine", "NOTIFY_SOCKET": "/n", "JUPYTER_RUNTIME_DIR": "/elsewhere"}
    ours = {"HOME": "/h", "JUPYTER_RUNTIME_DIR": "/run/n", "JUPYTER_CONFIG_PATH": expected}
    assert ours == server_environment(environ | theirs, Path("/run/n"))


@pytest.fixture
def place(tmp_path):
    return Place(sock=str(tmp_path / "server.sock"), port=0, token="5ecret", token_file=str(tmp_path / "token"))


def test_a_server_on_a_socket_answers_when_it_listens_and_has_written_its_file(place, tmp_path):
    assert not answers(LAB, place)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(place.sock)
        assert not answers(LAB, place)
        sock.listen()
        assert not answers(LAB, place)
        file = tmp_path / "jpserver-17.json"
        file.write_text('{"pid": 17,')
        assert not answers(LAB, place)
        file.write_text(json.dumps({"pid": 17, "sock": "/another/server.sock"}))
        assert not answers(LAB, place)
        file.write_text(json.dumps({"pid": 17, "sock": place.sock}))
        assert answers(LAB, place)


def test_a_server_on_a_port_answers_when_it_listens():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        assert answers(OTHER, Place(sock="", port=port, token="", token_file=""))
    assert not answers(OTHER, Place(sock="", port=port, token="", token_file=""))


@pytest.fixture
def no_start(monkeypatch):
    def refuse(*words, **options):
        pytest.fail(f"started {words}")

    monkeypatch.setattr(launch, "start_process", refuse)
    monkeypatch.setattr(launch, "find_program", lambda server, path: sys.executable)


def test_where_a_gateway_runs_already_no_server_is_started(gateway, folder, no_start):
    with pytest.raises(StartError, match=f"another nbgate uses {folder}") as refused:
        launch_server()
    assert ExitCode.TRY_AGAIN == refused.value.exit_code


def test_who_wants_no_account_gets_no_server(folder, no_start, monkeypatch):
    monkeypatch.setattr(launch, "ask_for_first_user", lambda loaded: ExitCode.INTERRUPTED)
    assert ExitCode.INTERRUPTED == launch_server("jupyter", "notebook")


class FakePair:
    """Starts the gateway as soon as it is run, and says what it ended with."""

    def __init__(self, process, output, signals, *, name, hint, **_):
        self.hint = hint

    def run(self, answers, start_gateway):
        start_gateway()
        return 42

    def close(self):
        """Nothing was started."""


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Give the list of what would have been started: words and environment."""
    started = []
    monkeypatch.setattr(launch, "start_process", lambda words, environ, **_: started.append((words, environ)))
    monkeypatch.setattr(launch, "Pair", FakePair)
    monkeypatch.setattr(launch, "ask_for_first_user", lambda loaded: ExitCode.DONE)
    monkeypatch.setattr(sys, "executable", program(tmp_path / "venv", "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "venv"))
    return started


def test_server_and_gateway_are_started_in_one_private_folder(folder, started, tmp_path, run, monkeypatch):
    jupyter = program(tmp_path / "venv", "jupyter")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "none"))
    words = [
        "--port",
        "9443",
        "--no-banner",
        "--allow-open-upstream",
        "--config",
        "cheap.toml",
        "--",
        "jupyter",
        "lab",
        "-y",
    ]
    code, out, err = run("launch", *words)
    assert (42, "") == (code, out)
    assert f"nbgate: starting jupyter lab; what it prints goes to {folder}/notebook-server.log\n" == err
    (server, its_environ), (gateway, gateway_environ) = started
    private = Path(its_environ["JUPYTER_RUNTIME_DIR"])
    assert [jupyter, "lab", "-y", f"--sock={private}/server.sock"] == server[:4]
    assert f"--upstream=unix:{private}/server.sock" in gateway
    assert ["--port=9443", "--no-banner", "--config=cheap.toml", "--allow-open-upstream"] == gateway[-4:]
    assert str(private) == gateway_environ["JUPYTER_RUNTIME_DIR"]
    assert not private.exists()
    assert 0o600 == (folder / "notebook-server.log").stat().st_mode & 0o777


def test_the_token_is_new_each_time_and_in_no_word_or_variable(folder, started, run, monkeypatch):
    tokens = []
    write_token = launch.write_token
    monkeypatch.setattr(
        launch, "write_token", lambda folder, token: (tokens.append(token), write_token(folder, token))[1]
    )
    for _ in range(2):
        assert 42 == run("launch", "--", "python", "{port}")[0]
    first, second = tokens
    assert len({first, second}) == 2
    seen = json.dumps(started)
    assert [] == [token for token in tokens if len(token) < 64 or token in seen]
