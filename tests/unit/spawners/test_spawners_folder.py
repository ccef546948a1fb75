"""The folder that is nobody else's, and short enough for a socket."""

import json
import os
import stat
from pathlib import Path

import pytest

from nbgate.errors import ExitCode, StartError
from nbgate.files import MAX_SOCKET_PATH_BYTES
from nbgate.spawners import folder
from nbgate.spawners.folder import SOCKET_NAME, choose_parent, private_folder, write_token


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    path = tmp_path / "t"
    path.mkdir()
    monkeypatch.setattr(folder.tempfile, "gettempdir", lambda: str(path))
    return path


def runtime_folder(tmp_path, name="r", mode=0o700):
    path = tmp_path / name
    path.mkdir(parents=True)
    path.chmod(mode)
    return path


def long_below(path):
    return path / ("long" * 20) / ("name" * 5)


def test_it_is_ours_alone_while_it_is_there_and_gone_afterwards(tmp_path):
    runtime = runtime_folder(tmp_path)
    with private_folder({"XDG_RUNTIME_DIR": str(runtime)}) as made:
        assert runtime == made.parent
        assert 0o700 == stat.S_IMODE(made.stat().st_mode)
        (made / "kernel-1.json").write_text("{}")
    assert [] == list(runtime.iterdir())


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda tmp_path: "", id="not set"),
        pytest.param(lambda tmp_path: "relative", id="relative"),
        pytest.param(lambda tmp_path: tmp_path / "none", id="not there"),
        pytest.param(lambda tmp_path: runtime_folder(tmp_path, mode=0o755), id="open to others"),
        pytest.param(lambda tmp_path: runtime_folder(tmp_path, str(long_below(Path("x")))), id="too long"),
    ],
)
def test_another_place_is_taken_where_the_runtime_folder_does_not_do(make, tmp_path, temporary):
    environ = {"XDG_RUNTIME_DIR": str(make(tmp_path))}
    assert temporary == choose_parent(environ)


@pytest.mark.parametrize(("spare", "expected"), [(0, True), (-1, False)])
def test_a_path_that_just_fits_a_socket_is_taken(monkeypatch, spare, expected):
    rest = len("/nbgate-xxxxxxxx/") + len(SOCKET_NAME)
    exact = "/" + "x" * (MAX_SOCKET_PATH_BYTES - rest - 1 - spare)
    monkeypatch.setattr(folder.tempfile, "gettempdir", lambda: exact)
    assert expected == (Path(exact) == choose_parent({}))


def test_where_nothing_can_be_made_a_hint_says_how_to_name_another_place(temporary):
    temporary.rmdir()
    with pytest.raises(StartError) as refused, private_folder({}):
        pass
    assert ExitCode.CANNOT_CREATE == refused.value.exit_code
    assert "TMPDIR" in refused.value.hint


def test_the_token_stands_alone_in_a_file_of_ours_and_in_configurations(tmp_path):
    former = os.umask(0)
    try:
        path = write_token(tmp_path, "5ecret")
    finally:
        os.umask(former)
    assert b"5ecret" == path.read_bytes()
    server = json.loads((tmp_path / "jupyter_server_config.json").read_text())
    assert {"IdentityProvider": {"token": "5ecret"}, "PasswordIdentityProvider": {"token": "5ecret"}} == server
    assert {"NotebookApp": {"token": "5ecret"}} == json.loads((tmp_path / "jupyter_notebook_config.json").read_text())
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    with pytest.raises(FileExistsError):
        write_token(tmp_path, "another")
