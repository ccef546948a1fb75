"""Binding: which sockets, and what is said where it cannot be done."""

import errno
import os
import socket

import pytest

from nbgate.errors import ExitCode, StartError
from nbgate.supervisor import sockets as listening
from nbgate.supervisor.sockets import bind_sockets, close_all, is_loopback, listen, share, urls


@pytest.fixture
def bound():
    made: list[socket.socket] = []

    def bind(*arguments, **options):
        made.extend(bind_sockets(*arguments, **options))
        return made

    yield bind
    close_all(made)


@pytest.mark.parametrize(
    ("ip", "addresses"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("::1", ["::1"]),
        ("localhost", ["127.0.0.1", "::1"]),
        ("*", ["::", "0.0.0.0"]),
        ("0.0.0.0", ["0.0.0.0"]),
    ],
)
def test_every_address_has_its_own_socket_on_the_same_port(bound, ip, addresses):
    sockets = bound(ip, 0)

    assert addresses == [sock.getsockname()[0] for sock in sockets]
    assert 1 == len({sock.getsockname()[1] for sock in sockets})
    assert {False} == {sock.getblocking() for sock in sockets}


def test_bound_is_not_yet_listening(bound):
    (sock,) = bound("127.0.0.1", 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(sock.getsockname())

    listen([sock])
    socket.create_connection(sock.getsockname()).close()


@pytest.mark.parametrize(("missing", "left"), [(socket.AF_INET6, "0.0.0.0"), (socket.AF_INET, "::")])
def test_a_machine_without_one_family_listens_on_the_other(bound, monkeypatch, missing, left):
    bind = listening._bind

    def without(address, port):
        if (":" in address) == (missing == socket.AF_INET6):
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        return bind(address, port)

    monkeypatch.setattr(listening, "_bind", without)

    assert [left] == [sock.getsockname()[0] for sock in bound("*", 0)]


def test_an_occupied_port_is_try_again_with_the_command_that_shows_who_has_it():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StartError) as caught:
            bind_sockets("127.0.0.1", port)

    assert ExitCode.TRY_AGAIN == caught.value.exit_code
    assert f"port {port} on 127.0.0.1 is already in use" == caught.value.public
    assert "ss -ltnp" in caught.value.hint


@pytest.mark.parametrize("flag", ["--port", "--http-port"])
def test_a_port_taken_between_binding_and_listening_is_the_same_error(bound, flag):
    (first,) = bind_sockets("127.0.0.1", 0)
    share([first])
    (second,) = bind_sockets("127.0.0.1", first.getsockname()[1])
    share([second])
    listen([first])
    with pytest.raises(StartError) as caught:
        listen([second] if flag == "--port" else [*bound("127.0.0.1", 0), second])
    close_all([first, second])

    assert ExitCode.TRY_AGAIN == caught.value.exit_code
    assert caught.value.hint.endswith(f"another with {flag}")


def test_the_second_address_on_an_occupied_port_leaves_no_socket_behind():
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(StartError, match="already in use"):
        bind_sockets("*", server.getsockname()[1])


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_a_privileged_port_is_a_permission_error_that_names_a_port_that_works(monkeypatch, code):
    def refuse(address, port):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(listening, "_bind", refuse)
    with pytest.raises(StartError, match="port 443 needs privileges") as caught:
        bind_sockets("127.0.0.1", 443)

    assert ExitCode.PERMISSION == caught.value.exit_code
    assert "--port 8443" in caught.value.hint


def test_where_the_first_unprivileged_port_is_unknown_it_is_1024(monkeypatch, tmp_path):
    monkeypatch.setattr(listening, "_UNPRIVILEGED_START", tmp_path / "missing")

    assert "1024" == listening._first_unprivileged()


@pytest.mark.parametrize("mistyped", [ExitCode.USAGE, ExitCode.CONFIGURATION])
def test_an_address_of_another_machine_is_mistyped_where_it_was_typed(mistyped):
    with pytest.raises(StartError, match=r"192\.0\.2\.1 is not an address of this machine") as caught:
        bind_sockets("192.0.2.1", 0, mistyped=mistyped)

    assert mistyped == caught.value.exit_code


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("*", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.4", False),
    ],
)
def test_only_loopback_is_loopback(ip, expected):
    assert expected == is_loopback(ip)


@pytest.mark.parametrize(
    ("ip", "port", "hosts", "expected"),
    [
        ("127.0.0.1", 8443, (), ("https://127.0.0.1:8443/",)),
        ("::1", 8443, (), ("https://[::1]:8443/",)),
        ("localhost", 443, (), ("https://localhost/",)),
        ("*", 8443, (), ("https://box:8443/", "https://localhost:8443/")),
        ("::", 443, (), ("https://box/", "https://localhost/")),
        ("192.0.2.7", 8443, (), ("https://192.0.2.7:8443/",)),
        ("2001:db8::7", 443, (), ("https://[2001:db8::7]/",)),
        # who has public names is served under no other one from elsewhere
        (
            "*",
            8443,
            ("gw.test", "b.test:9000"),
            ("https://gw.test:8443/", "https://b.test:9000/", "https://localhost:8443/"),
        ),
        ("192.0.2.7", 443, ("gw.test",), ("https://gw.test/",)),
        ("127.0.0.1", 8443, ("gw.test",), ("https://127.0.0.1:8443/",)),
        ("*", 443, ("[2001:db8::7]",), ("https://[2001:db8::7]/", "https://localhost/")),
    ],
)
def test_urls_are_what_to_type_into_a_browser(ip, port, hosts, expected):
    assert expected == urls(ip, port, "box", hosts)


def test_a_port_the_system_chose_that_is_taken_at_the_second_address_is_no_mistake(monkeypatch):
    real, asked = listening._bind, []

    def taken_twice(address, port):
        asked.append(address)
        if address == "0.0.0.0" and asked.count(address) < 3:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return real(address, port)

    monkeypatch.setattr(listening, "_bind", taken_twice)
    sockets = bind_sockets("*", 0)
    assert 1 == len({sock.getsockname()[1] for sock in sockets})
    assert ["::", "0.0.0.0"] * 3 == asked
    close_all(sockets)


def test_there_is_an_end_to_trying(monkeypatch):
    def taken(address, port):
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(listening, "_bind", taken)
    with pytest.raises(StartError, match="is already in use"):
        bind_sockets("*", 0)


@pytest.mark.parametrize(("flag", "example"), [("--port", "--port 8443"), ("--http-port", "--http-port 8080")])
def test_a_hint_names_the_flag_that_sets_the_port(monkeypatch, flag, example):
    def refuse(address, port):
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(listening, "_bind", refuse)
    with pytest.raises(StartError) as caught:
        bind_sockets("127.0.0.1", 80, flag=flag)
    assert caught.value.hint.endswith(f"for example {example}")
