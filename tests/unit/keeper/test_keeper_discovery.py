import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from nbgate.errors import ExitCode, StartError
from nbgate.keeper.discovery import find_servers, load_password, load_token, running_servers, runtime_folders
from nbgate.model.route import Upstream

HERE = Upstream(host="localhost", port=8888)


def write(folder, name="jpserver-1.json", *, mode=0o600, mtime=None, **values):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(json.dumps({"pid": os.getpid(), "port": 8888, "token": "t", "base_url": "/"} | values))
    path.chmod(mode)
    if mtime is not None:
        os.utime(path, (mtime, mtime))
    return path


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ("/home/ada/.local/share/jupyter/runtime",)),
        ({"JUPYTER_RUNTIME_DIR": "/r", "XDG_DATA_HOME": "/x", "XDG_RUNTIME_DIR": "/run/u"}, ("/r",)),
        ({"JUPYTER_DATA_DIR": "/d", "XDG_DATA_HOME": "/x"}, ("/d/runtime",)),
        ({"XDG_DATA_HOME": "/x"}, ("/x/jupyter/runtime",)),
        ({"XDG_RUNTIME_DIR": "/run/u"}, ("/home/ada/.local/share/jupyter/runtime", "/run/u/jupyter")),
        ({"JUPYTER_RUNTIME_DIR": ""}, ("/home/ada/.local/share/jupyter/runtime",)),
    ],
)
def test_folders_are_those_of_jupyter_itself(tmp_path, environ, expected):
    home = type(tmp_path)("/home/ada")
    assert expected == tuple(map(str, runtime_folders(environ, home)))


def test_the_living_server_at_the_port_is_found(tmp_path):
    write(tmp_path, "jpserver-1.json", token="mine", base_url="/jl/")
    write(tmp_path, "jpserver-2.json", port=1)
    (found,) = find_servers(HERE, (tmp_path,))
    assert ("mine", "/jl/") == (found.token, found.base_url)


@pytest.mark.parametrize(
    "values",
    [{"sock": "/" + "a" * 300}, {"sock": "/a" * 3000}, {"hostname": "127.999.0.1"}, {"hostname": "127.001.0.1"}],
    ids=["name too long", "path too long", "no address", "no address either"],
)
def test_an_address_that_nobody_can_have_is_no_running_server(tmp_path, values):
    write(tmp_path, **values)
    assert () == running_servers((tmp_path,))


def test_a_socket_in_a_folder_that_may_not_be_entered_is_no_running_server(tmp_path, monkeypatch):
    write(tmp_path, sock="/closed/s")

    def refuse(_path):
        raise PermissionError

    monkeypatch.setattr(Path, "is_socket", refuse)
    assert () == running_servers((tmp_path,))


def test_the_server_that_began_last_comes_first(tmp_path):
    write(tmp_path, "jpserver-2.json", token="older", mtime=1000)
    write(tmp_path, "jpserver-1.json", token="newer", mtime=2000)
    assert ["newer", "older"] == [found.token for found in find_servers(HERE, (tmp_path,))]


def test_a_file_of_a_dead_process_is_ignored(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    write(tmp_path, pid=child.pid)
    assert () == find_servers(HERE, (tmp_path,))


def test_a_process_number_no_machine_has_is_dead(tmp_path):
    write(tmp_path, pid=2**70)
    assert () == find_servers(HERE, (tmp_path,))
    write(tmp_path, pid=2**62)
    assert () == find_servers(HERE, (tmp_path,))


def test_a_process_of_somebody_else_is_not_ours(tmp_path, monkeypatch):
    def refuse(pid, signal):
        raise PermissionError

    write(tmp_path)
    monkeypatch.setattr(os, "kill", refuse)
    assert () == find_servers(HERE, (tmp_path,))


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_ignored(tmp_path, mode):
    write(tmp_path, mode=mode)
    assert () == find_servers(HERE, (tmp_path,))


def test_a_world_readable_file_is_taken_as_notebook_6_writes_it(tmp_path):
    write(tmp_path, "nbserver-1.json", mode=0o644)
    assert 1 == len(find_servers(HERE, (tmp_path,)))


def test_a_file_of_another_user_is_ignored(tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert () == find_servers(HERE, (tmp_path,))


def test_what_runs_is_what_listens_where_its_file_says(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as on_path:
        port, path = server.getsockname()[1], str(tmp_path / "j.sock")
        on_path.bind(path)
        write(tmp_path, "jpserver-1.json", port=port, token="tcp", mtime=1000)
        write(tmp_path, "jpserver-2.json", sock=path, token="unix", mtime=2000)
        write(tmp_path, "jpserver-3.json", port=port, token="tls", secure=True)
        write(tmp_path, "jpserver-4.json", port=port, token="network", hostname="192.0.2.7")
        write(tmp_path, "jpserver-5.json", sock=str(tmp_path / "gone.sock"))
        assert ["unix", "tcp"] == [file.token for file in running_servers((tmp_path,))]
    assert ["unix"] == [file.token for file in running_servers((tmp_path,))]  # the port is free, the path still there


def test_links_folders_and_broken_files_are_ignored(tmp_path):
    folder = tmp_path / "runtime"
    target = write(tmp_path, "elsewhere.json")
    folder.mkdir()
    (folder / "jpserver-1.json").symlink_to(target)
    (folder / "jpserver-2.json").mkdir()
    (folder / "jpserver-3.json").write_bytes(b"\xff{")
    os.mkfifo(folder / "jpserver-4.json")
    assert () == find_servers(HERE, (folder,))


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert () == find_servers(HERE, (tmp_path / "none",))


def test_a_token_file_holds_one_token(tmp_path):
    path = tmp_path / "token"
    path.write_text("5ecre7\n")
    path.chmod(0o600)
    assert "5ecre7" == load_token(path)


@pytest.mark.parametrize(
    ("content", "mode", "public", "hint"),
    [
        (b"t", 0o640, "can be read by others", "chmod 600"),
        (b"t", 0o604, "can be read by others", "chmod 600"),
        (b"", 0o600, "holds no token", "on one line"),
        (b"a b", 0o600, "holds no token", "on one line"),
        (b"a\nb", 0o600, "holds no token", "on one line"),
        (b"\xff", 0o600, "holds no token", "on one line"),
    ],
)
def test_an_unfit_token_file_is_a_start_error_with_a_hint(tmp_path, content, mode, public, hint):
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(StartError) as caught:
        load_token(path)
    assert f"upstream token file {path} {public}" == caught.value.public
    assert hint in caught.value.hint
    assert ExitCode.CONFIGURATION == caught.value.exit_code


def test_a_missing_token_file_and_a_folder_are_start_errors(tmp_path):
    with pytest.raises(StartError, match="no such file or directory"):
        load_token(tmp_path / "none")
    with pytest.raises(StartError) as caught:
        load_token(tmp_path / "none", "token_file")
    assert "name one that this user may read with token_file" == caught.value.hint
    with pytest.raises(StartError, match="is no regular file"):
        load_token(tmp_path)


def test_a_token_file_of_somebody_else_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "token"
    path.write_text("t")
    path.chmod(0o600)
    os.chown(path, 1234, -1) if os.geteuid() == 0 else monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with pytest.raises(StartError, match="belongs to somebody else"):
        load_token(path)


def secret_file(tmp_path, content):
    path = tmp_path / "password"
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("content", "password"),
    [(b"a b\n", "a b"), ("gr\u00fcn".encode(), "gr\u00fcn"), (b" x \r\n", " x ")],
)
def test_a_password_is_taken_as_it_is(tmp_path, content, password):
    assert password == load_password(secret_file(tmp_path, content))


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb", b"a\x00b", b"\xff"])
def test_an_unfit_password_file_is_a_start_error_with_a_hint(tmp_path, content):
    path = secret_file(tmp_path, content)
    with pytest.raises(StartError) as caught:
        load_password(path)
    assert caught.value.public.startswith(f"upstream password file {path} ")
    assert "on one line" in caught.value.hint
    path.chmod(0o640)
    with pytest.raises(StartError, match="can be read by others"):
        load_password(path)
