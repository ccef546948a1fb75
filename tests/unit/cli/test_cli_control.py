"""Asking the running gateway: both ends prove themselves."""

import socket

import pytest

from nbgate.cli import control
from nbgate.cli.control import ask, maybe_connect
from nbgate.errors import ExitCode, StartError

KEY = "k" * 64


def test_the_answer_is_returned_and_the_key_was_shown(gateway, folder):
    gateway.answers.append((200, {"a": 1}))

    assert {"a": 1} == ask(folder, maybe_connect(folder), "POST", "/users/ada/passwd", {"password": "x"})
    assert [("POST", "/users/ada/passwd", f"control {KEY}", {"password": "x"})] == gateway.asked


@pytest.mark.parametrize(
    ("status", "value", "public", "hint"),
    [
        (409, {"error": "there is one already", "hint": "take another"}, "there is one already", "take another"),
        (500, {}, "the gateway answered 500", ""),
    ],
)
def test_a_refusal_is_told_in_the_gateways_words(gateway, folder, status, value, public, hint):
    gateway.answers.append((status, value))
    with pytest.raises(StartError) as caught:
        ask(folder, maybe_connect(folder), "GET", "/status")

    assert (public, hint, ExitCode.FAILURE) == (caught.value.public, caught.value.hint, caught.value.exit_code)


def test_a_gateway_that_ends_meanwhile_is_try_again(gateway, folder):
    with pytest.raises(StartError, match="ended while it was asked") as caught:
        ask(folder, maybe_connect(folder), "GET", "/status")

    assert ExitCode.TRY_AGAIN == caught.value.exit_code


def is_missing(folder):
    """No gateway has ever run here."""


def is_left_behind(folder):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "control.sock"))


@pytest.mark.parametrize("leave", [is_missing, is_left_behind])
def test_none_runs(tmp_path, leave):
    leave(tmp_path)

    assert maybe_connect(tmp_path) is None
    assert maybe_connect(tmp_path / "no" / "folder") is None


def test_a_folder_that_cannot_be_reached_is_a_permission_error(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StartError, match="cannot reach the gateway") as caught:
        maybe_connect(tmp_path / "loop")

    assert ExitCode.PERMISSION == caught.value.exit_code


def test_another_users_process_gets_neither_key_nor_password(gateway, folder, monkeypatch):
    monkeypatch.setattr(control.os, "geteuid", lambda: 4711)
    monkeypatch.setattr(control, "peer_uid", lambda sock: 12345)
    with pytest.raises(StartError, match="a process of another user") as caught:
        maybe_connect(folder)

    assert ExitCode.PERMISSION == caught.value.exit_code
    assert [] == gateway.asked


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.chmod(0o644)])
def test_without_a_private_key_nothing_is_asked(gateway, folder, spoil):
    spoil(folder / "control.key")
    sock = maybe_connect(folder)
    with pytest.raises(StartError, match="cannot read the control key") as caught:
        ask(folder, sock, "GET", "/status")
    sock.close()

    assert ExitCode.PERMISSION == caught.value.exit_code
    assert [] == gateway.asked


def test_a_data_folder_whose_sockets_could_not_be_reached(run, folder, tmp_path):
    deep = tmp_path / ("d" * 107)
    code, _, err = run("status", "--data-dir", str(deep))

    assert 78 == code
    assert f"nbgate: the data folder {deep} has too long a path for the sockets in it\n  hint: choose a shorter" in err
