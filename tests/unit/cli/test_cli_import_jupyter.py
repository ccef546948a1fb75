"""An account of the password that a notebook server had."""

import json
import sys
from pathlib import Path

import pytest

from nbgate.cli.import_jupyter import Found, find_hash, jupyter_folders, read_hash
from nbgate.crypto.passwords import HashParameters, hash_password
from nbgate.errors import ExitCode, StartError

HASH = hash_password("a parrot on the third shelf", salt=b"s" * 16, parameters=HashParameters(memory_kib=64))
OF_JUPYTER = f"argon2:{HASH}"
OF_OLD = "sha1:0123456789ab:" + "c" * 40


def write(folder: Path, name: str, value: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"IdentityProvider": {"hashed_password": OF_JUPYTER}}, "IdentityProvider.hashed_password"),
        ({"PasswordIdentityProvider": {"hashed_password": OF_JUPYTER}}, "PasswordIdentityProvider.hashed_password"),
        ({"ServerApp": {"password": OF_JUPYTER}}, "ServerApp.password"),
        ({"NotebookApp": {"password": OF_JUPYTER, "port": 8888}}, "NotebookApp.password"),
        (
            {"IdentityProvider": {"hashed_password": ""}, "ServerApp": {"password": OF_JUPYTER}},
            "ServerApp.password",
        ),
        ({"IdentityProvider": [], "ServerApp": {"password": OF_JUPYTER}}, "ServerApp.password"),
    ],
)
def test_a_hash_is_found_under_any_of_its_names(tmp_path, table, key):
    path = write(tmp_path, "jupyter_server_config.json", table)

    assert Found(file=path, key=key, hash=OF_JUPYTER) == read_hash(path)


def test_the_hash_is_not_shown(tmp_path):
    path = write(tmp_path, "jupyter_server_config.json", {"ServerApp": {"password": OF_JUPYTER}})

    assert "argon2" not in repr(read_hash(path))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"HOME": "/home/ada"},
            ["/home/ada/.jupyter", "/venv/etc/jupyter", "/etc/jupyter", "/usr/local/etc/jupyter"],
        ),
        (
            {"HOME": "/home/ada", "JUPYTER_CONFIG_DIR": "/cfg"},
            ["/cfg", "/home/ada/.jupyter", "/venv/etc/jupyter", "/etc/jupyter", "/usr/local/etc/jupyter"],
        ),
    ],
)
def test_where_jupyter_looks(environ, expected):
    assert expected == [str(path) for path in jupyter_folders(environ, Path("/venv"))]


def test_the_strongest_file_with_a_password_counts(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    write(first, "jupyter_server_config.json", {"ServerApp": {"port": 8888}})
    older = write(first, "jupyter_notebook_config.json", {"NotebookApp": {"password": OF_OLD}})
    write(second, "jupyter_server_config.json", {"ServerApp": {"password": OF_JUPYTER}})

    assert (older, OF_OLD) == ((found := find_hash([tmp_path / "none", first, second])).file, found.hash)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("", "name the file: --from"),
        ("jupyter_server_config.py", "jupyter_server_config.py is not read, being a program"),
    ],
)
def test_where_nothing_is_found_it_is_said_what_to_do(tmp_path, name, hint):
    if name:
        write(tmp_path, name, "c.ServerApp.password = 'x'")
    with pytest.raises(StartError, match="no notebook server's password was found") as caught:
        find_hash([tmp_path])

    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "there is no password in"),
        ("[]", "there is no password in"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("\udcff", "is not JSON"),
    ],
)
def test_a_file_without_a_hash_is_refused(tmp_path, content, said):
    path = tmp_path / "x.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(StartError, match=said) as caught:
        read_hash(path)

    assert caught.value.hint


def test_a_file_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    with pytest.raises(StartError, match="no such file") as caught:
        read_hash(tmp_path / "none.json")
    assert ExitCode.FAILURE == caught.value.exit_code

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StartError, match="permission denied") as caught:
        read_hash(tmp_path / "none.json")
    assert ExitCode.PERMISSION == caught.value.exit_code


def test_an_account_is_made_of_it_without_a_gateway(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.delenv("JUPYTER_CONFIG_DIR", raising=False)
    path = write(tmp_path / ".jupyter", "jupyter_server_config.json", {"IdentityProvider": {"hashed_password": OF_OLD}})
    said = f"nbgate: the password is IdentityProvider.hashed_password in {path}\nnbgate: user ada: added\n"

    assert (0, "", said) == run("user", "import-jupyter", "ada")
    assert ["ada", "owner", "active", "password"] == run("user", "list")[1].splitlines()[1].split()[:4]


def test_a_running_gateway_is_asked(run, gateway, tmp_path):
    path = write(tmp_path, "x.json", {"ServerApp": {"password": OF_JUPYTER}})
    gateway.answers.append((201, {"user": "ada", "message": "added", "ended_sessions": 0}))

    assert 0 == run("user", "import-jupyter", "ada", "--from", str(path), "--role", "viewer")[0]
    body = {"name": "ada", "imported_hash": OF_JUPYTER, "role": "viewer"}
    assert [("POST", "/users", body)] == [(method, path, sent) for method, path, _, sent in gateway.asked]


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (HASH.replace("m=64", "m=999999"), "this hash costs too much to check: 999999 KiB, 3 times"),
        ("md77:1:" + "c" * 32, "this hash is no md77 digest"),
        ("plain text", "this is no password hash of Jupyter's"),
    ],
)
def test_a_hash_that_is_refused_says_why(run, folder, tmp_path, stored, said):
    path = write(tmp_path, "x.json", {"ServerApp": {"password": stored}})
    code, out, err = run("user", "import-jupyter", "ada", "--from", str(path))

    assert (2, "") == (code, out)
    assert said in err
    assert "  hint: " in err
